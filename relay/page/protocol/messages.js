// The messages of `downbeat.v1`, as specified in docs/PROTOCOL.md: one table of fields for each
// direction, and one decoder for both. Decoded messages keep the field names of the wire.
//
// Pure: no socket, no DOM, no clock. The decoder never throws, and it returns no value that it has not
// validated, except the free-form `data` of a trigger and the values of variables, which state/variables.js
// checks against their declaration.

import {
  Invalid,
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

const epoch = check('16 hexadecimal digits', (value) => /^[0-9a-f]{16}$/i.test(value));
const machine = check('32 hexadecimal digits', (value) => /^[0-9a-f]{32}$/i.test(value));
const hash = check('a hash', (value) => /^[0-9a-f]{1,128}$/i.test(value));
const color = check('a colour', (value) => /^#[0-9a-f]{6}$/i.test(value));

const gain = between(0, 4);
const rate = between(0.25, 4);
const pan = between(-1, 1);
const staggerMicros = optional(between(0, 10_000_000));
const overMicros = optional(between(0, 60_000_000));
const by = object({ id: count, name });
const ack = optional(count);

const tone = object({
  frequency: optional(between(MIN_FREQUENCY, MAX_FREQUENCY)),
  duration_micros: defaulted(between(1000, 600_000_000), 500_000),
  shape: defaulted(oneOf(SHAPES), SHAPES[0]),
});

const afterMicros = object({ after_micros: count });
/** @type {import('./shapes.js').Shape} */
const when = (value, path) =>
  value === 'together' || value === 'now' ? value : afterMicros(value, path);

const targetFields = {
  names: optional(listOf(name)),
  tags: optional(listOf(name)),
  clients: optional(listOf(count)),
};
const requestedTarget = object({ ...targetFields, others: optional(flag), one: optional(flag) });
const target = object({ ...targetFields, except: optional(count) });

const reportFields = {
  lead_micros: optional(count),
  clock_error_micros: optional(count),
  latency_micros: optional(count),
  triggers: count,
  late: count,
  lateness_micros: optional(count),
  xruns: count,
};

const triggerFields = {
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

const valueFields = {
  seq: count,
  apply_at: count,
  name,
  value: anyValue,
  over_micros: overMicros,
  target: optional(target),
  by,
};

const sound = object({
  name,
  hash,
  bytes: count,
  frames: count,
  rate: between(1000, 768000),
  channels: between(1, 8),
  loop: optional(object({ start: count, end: count })),
});

const client = object({
  id: count,
  name,
  kind: text,
  report: optional(object(reportFields)),
  seat: optional(count),
  tags: optional(listOf(name)),
  straggler: optional(flag),
});

/** What a variable can drive. */
const PARAMETERS = ['gain_db', 'semitones', 'pan', 'volume_db', 'frequency'];

const variableFields = {
  name,
  scope: optional(oneOf(['room', 'machine'])),
  event: optional(flag),
  clamp: optional(flag),
  send_unchanged: optional(flag),
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
function variable(more = {}) {
  return (value, path) => {
    const { type } = typed(value, path);
    const fields = object({ ...variableFields, ...VARIABLE_TYPES[type], ...more });
    return { type, ...fields(value, path) };
  };
}

const pastValue = object({ apply_at: count, value: anyValue, over_micros: overMicros });

const variableState = variable({
  value: anyValue,
  past: optional(object({ from: anyValue, values: listOf(pastValue) })),
});

const CLIENT_TO_RELAY = {
  hello: { name, kind: text, client: text, machine: optional(machine) },
  probe: { sent: integer },
  trigger: {
    sound: optional(name),
    gain: defaulted(gain, 1),
    rate: defaulted(rate, 1),
    pan: defaulted(pan, 0),
    tone: optional(tone),
    target: optional(requestedTarget),
    when: optional(when),
    stagger_micros: staggerMicros,
    data: optional(anyValue),
  },
  stop: { trigger: optional(count), sound: optional(name) },
  set: {
    name,
    value: anyValue,
    over_micros: overMicros,
    when: optional(when),
    target: optional(requestedTarget),
    ack,
  },
  declare: { variables: listOf(variable()), ack },
  remove: { names: listOf(name), ack },
  assign: { clients: listOf(count), seat: optional(between(0, 9999)), tags: optional(listOf(name)), ack },
  report: reportFields,
};

const RELAY_TO_CLIENT = {
  welcome: {
    id: count,
    epoch,
    now: count,
    relay: text,
    limits: object({ message_bytes: count, min_lead_micros: count, max_lead_micros: count }),
    sounds: listOf(sound),
    default_sound: name,
    sounding: listOf(object({ trigger: object(triggerFields), stop_at: optional(count) })),
    variables: defaulted(listOf(variableState), []),
    pending: optional(listOf(object(valueFields))),
    total: count,
    clients: listOf(client),
    lead_micros: count,
  },
  probe_reply: { sent: integer, received: count, replied: count },
  trigger: triggerFields,
  stop: { seq: count, stop_at: count, trigger: optional(count), sound: optional(name), by },
  value: valueFields,
  variables: { declared: optional(listOf(variableState)), removed: optional(listOf(name)) },
  ack: { ack: count },
  roster: {
    total: count,
    clients: listOf(client),
    left: optional(listOf(count)),
    lead_micros: count,
  },
  bank: { sounds: listOf(sound), default_sound: name },
  error: { code: text, message: text, ack },
};

/**
 * @typedef {{message: object | null, problem: string | null}} Decoded
 * The message; or the reason why it is invalid, for the log; or neither, for an unknown type, which a
 * client ignores.
 */

/** @returns {Decoded} */
function decode(table, given) {
  try {
    if (typeof given !== 'string') throw new Invalid('the message is not text');
    const value = JSON.parse(given);
    const { type } = object({ type: text })(value, 'message');
    if (!Object.hasOwn(table, type)) return { message: null, problem: null };
    return { message: { type, ...object(table[type])(value, type) }, problem: null };
  } catch (error) {
    return { message: null, problem: error.message };
  }
}

/** Decodes a message from the relay. @param {unknown} given @returns {Decoded} */
export function decodeFromRelay(given) {
  return decode(RELAY_TO_CLIENT, given);
}

/** Decodes a message from a client, as a relay does. @param {unknown} given @returns {Decoded} */
export function decodeFromClient(given) {
  return decode(CLIENT_TO_RELAY, given);
}

/** Encodes a message as a text frame. Undefined fields are omitted. */
export function encode(message) {
  return JSON.stringify(message);
}
