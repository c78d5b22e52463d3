// The messages of `downbeat.v1`, as specified in docs/PROTOCOL.md: one table of fields for each
// direction, and one decoder for both. Decoded messages keep the field names of the wire.
//
// Pure: no socket, no DOM, no clock. The decoder never throws, and it returns no value that it has not
// validated, except the free-form `data` of a trigger and the values of variables, which state/variables.js
// checks against their declaration.

import {
  ack,
  awayMachine,
  bankFields,
  by,
  client,
  epoch,
  extraLatencyMicros,
  gain,
  hash,
  machine,
  machineId,
  overMicros,
  pan,
  place,
  rate,
  recordFields,
  reportFields,
  requestedTarget,
  rights,
  soundEdit,
  staggerMicros,
  tone,
  triggerFields,
  valueFields,
  variable,
  volumeDb,
  when,
} from './fields.js';
import {
  Invalid,
  anyValue,
  between,
  count,
  defaulted,
  flag,
  integer,
  listOf,
  name,
  object,
  oneOf,
  optional,
  text,
} from './shapes.js';

const pastValue = object({ apply_at: count, value: anyValue, over_micros: overMicros });

const variableState = variable({
  value: anyValue,
  past: optional(object({ from: anyValue, values: listOf(pastValue) })),
});

const CLIENT_TO_RELAY = {
  hello: { name, kind: text, client: text, machine: optional(machineId) },
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
  assign: {
    clients: optional(listOf(count)),
    machines: optional(listOf(count)),
    name: optional(name),
    seat: optional(between(0, 9999)),
    place: optional(place),
    tags: optional(listOf(name)),
    volume_db: optional(volumeDb),
    muted: optional(flag),
    extra_latency_micros: optional(extraLatencyMicros),
    rights: optional(rights),
    ack,
  },
  forget: { machines: listOf(count), ack },
  command: { clients: listOf(count), command: oneOf(['identify', 'restart_output']), ack },
  lock: { locked: flag, ack },
  watch: { room: flag, ack },
  upload: { name, bytes: between(1, 100_663_296), ack: count },
  edit_sounds: { sounds: optional(listOf(soundEdit)), default_sound: optional(hash), ack },
  report: reportFields,
  outcomes: {
    outcomes: listOf(object({ seq: count, lateness_micros: optional(count), missed: optional(text) })),
  },
};

const RELAY_TO_CLIENT = {
  welcome: {
    id: count,
    epoch,
    now: count,
    relay: text,
    limits: object({ message_bytes: count, min_lead_micros: count, max_lead_micros: count }),
    ...bankFields,
    machine: defaulted(object(recordFields), { rights: 'conductor' }),
    locked: optional(flag),
    sounding: listOf(object({ trigger: object(triggerFields), stop_at: optional(count) })),
    sounding_from: optional(count),
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
  bank: bankFields,
  machine: recordFields,
  command: { command: text, by },
  lock: { locked: flag, by },
  joining: { code: optional(text), links: listOf(object({ rights, url: text })) },
  machines: {
    clients: optional(listOf(machine)),
    left: optional(listOf(count)),
    away: optional(listOf(awayMachine)),
    returned: optional(listOf(count)),
  },
  receipt: {
    seq: count,
    sound: name,
    by,
    expected: count,
    sounded: count,
    late: optional(listOf(object({ id: count, lateness_micros: count }))),
    missed: optional(listOf(object({ id: count, reason: text }))),
    waiting: optional(listOf(count)),
  },
  upload_ready: { ack: count, path: text },
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
