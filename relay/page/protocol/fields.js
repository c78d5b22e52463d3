// The parts that several messages of `downbeat.v1` contain, as shapes: triggers, values, targets, sounds,
// variables, clients, reports, and what is kept of machines.
//
// Pure. docs/PROTOCOL.md specifies them; messages.js puts them together.

import {
  anyValue,
  between,
  check,
  count,
  defaulted,
  flag,
  integer,
  listOf,
  name,
  number,
  object,
  oneOf,
  optional,
  text,
} from './shapes.js';

/** The name of the built-in tone, which is not in the bank. */
export const TONE = 'tone';

/** Range of a tone's frequency, in Hz. */
export const MIN_FREQUENCY = 20;
export const MAX_FREQUENCY = 20_000;

/** The waveforms of a tone; the first is the default. */
export const SHAPES = ['sine', 'triangle', 'saw', 'square'];

/** What a client may do; each includes those before it. */
export const RIGHTS = ['listener', 'player', 'conductor'];

export const epoch = check('16 hexadecimal digits', (value) => /^[0-9a-f]{16}$/i.test(value));
export const machineId = check('32 hexadecimal digits', (value) => /^[0-9a-f]{32}$/i.test(value));
export const hash = check('a hash', (value) => /^[0-9a-f]{1,128}$/i.test(value));
const color = check('a colour', (value) => /^#[0-9a-f]{6}$/i.test(value));

export const gain = between(0, 4);
export const rate = between(0.25, 4);
export const pan = between(-1, 1);
export const staggerMicros = optional(between(0, 10_000_000));
export const overMicros = optional(between(0, 60_000_000));
export const by = object({ id: count, name });
export const ack = optional(count);
export const rights = oneOf(RIGHTS);

export const tone = object({
  frequency: optional(between(MIN_FREQUENCY, MAX_FREQUENCY)),
  duration_micros: defaulted(between(1000, 600_000_000), 500_000),
  shape: defaulted(oneOf(SHAPES), SHAPES[0]),
});

const afterMicros = object({ after_micros: count });
/** @type {import('./shapes.js').Shape} */
export const when = (value, path) =>
  value === 'together' || value === 'now' ? value : afterMicros(value, path);

const targetFields = {
  names: optional(listOf(name)),
  tags: optional(listOf(name)),
  clients: optional(listOf(count)),
};
export const requestedTarget = object({ ...targetFields, others: optional(flag), one: optional(flag) });
const target = object({ ...targetFields, except: optional(count) });

export const triggerFields = {
  seq: count,
  play_at: count,
  sound: name,
  gain,
  rate,
  pan,
  tone: optional(tone),
  target: optional(target),
  stagger_micros: staggerMicros,
  on_arrival: optional(flag),
  data: optional(anyValue),
  by,
};

export const valueFields = {
  seq: count,
  apply_at: count,
  name,
  value: anyValue,
  over_micros: overMicros,
  target: optional(target),
  by,
};

// ---- the bank ----

const sound = object({
  name,
  hash,
  bytes: count,
  frames: count,
  rate: between(1000, 768000),
  channels: between(1, 8),
  gain_db: optional(number),
  loop: optional(object({ start: count, end: count })),
});

export const bankFields = {
  sounds: listOf(sound),
  default_sound: name,
  bank: defaulted(count, 0),
  removed: optional(listOf(object({ name, hash }))),
};

/** What changes about a sound. */
export const soundEdit = object({
  hash,
  name: optional(name),
  gain_db: optional(between(-60, 12)),
  loop: optional(flag),
  position: optional(count),
  removed: optional(flag),
});

// ---- clients and machines ----

export const place = object({ x: between(0, 1), y: between(0, 1) });
export const volumeDb = between(-60, 0);
export const extraLatencyMicros = between(-500_000, 500_000);

export const reportFields = {
  lead_micros: optional(count),
  clock_error_micros: optional(count),
  latency_micros: optional(count),
  triggers: count,
  late: count,
  lateness_micros: optional(count),
  xruns: count,
  bank: optional(count),
  ready: optional(count),
  missing: optional(listOf(name)),
  output: optional(name),
  level_db: optional(integer),
  volume_db: optional(number),
  muted: optional(flag),
  extra_latency_micros: optional(integer),
};

const standing = { seat: optional(count), tags: optional(listOf(name)) };

/** A client, as everyone is told about it. */
export const client = object({
  id: count,
  name,
  kind: text,
  plays: optional(flag),
  ...standing,
  straggler: optional(flag),
});

/** A client, as those who run the room are told about it. */
export const machine = object({
  id: count,
  machine: optional(count),
  name,
  kind: text,
  client: optional(text),
  rights,
  ...standing,
  place: optional(place),
  report: optional(object(reportFields)),
  straggler: optional(flag),
});

/** A machine that is not connected. */
export const awayMachine = object({ machine: count, name, ...standing, place: optional(place) });

/** What is kept of the client's own machine. */
export const recordFields = {
  rights,
  name: optional(name),
  volume_db: optional(volumeDb),
  muted: optional(flag),
  extra_latency: optional(listOf(object({ output: name, micros: integer }))),
};

// ---- variables ----

/** What a variable can drive. */
const PARAMETERS = ['gain_db', 'semitones', 'pan', 'volume_db', 'frequency'];

const variableFields = {
  name,
  scope: optional(oneOf(['room', 'machine'])),
  event: optional(flag),
  clamp: optional(flag),
  send_unchanged: optional(flag),
  open: optional(flag),
  label: optional(name),
  group: optional(name),
  bind: optional(listOf(object({ parameter: oneOf(PARAMETERS), sound: optional(name) }))),
};

/** The further fields of a variable, by its type. */
const VARIABLE_TYPES = {
  float: {
    min: number,
    max: number,
    default: number,
    step: optional(number),
    unit: optional(text),
    scale: optional(oneOf(['linear', 'logarithmic'])),
  },
  int: { min: integer, max: integer, default: integer, unit: optional(text) },
  bool: { default: optional(flag) },
  enum: { choices: listOf(name), default: name },
  text: { default: optional(text) },
  color: { default: color },
  any: { default: optional(anyValue) },
};

const typed = object({ type: oneOf(Object.keys(VARIABLE_TYPES)) });

/** A variable, with `more` fields. @returns {import('./shapes.js').Shape} */
export function variable(more = {}) {
  return (value, path) => {
    const { type } = typed(value, path);
    const fields = object({ ...variableFields, ...VARIABLE_TYPES[type], ...more });
    return { type, ...fields(value, path) };
  };
}
