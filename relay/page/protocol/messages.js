// The messages of `downbeat.v1`, as specified in docs/PROTOCOL.md: one table of fields for each
// direction, and one decoder for all of them. Decoded messages keep the field names of the wire.
//
// Pure: no socket, no DOM, no clock. The decoder never throws, and it returns no value that it has not
// validated, except the free-form `data` of a trigger.

import { normalizeName } from './names.js';

/**
 * A shape validates one value: it returns the value to keep, or throws `Invalid`.
 * @typedef {(value: any, path: string) => any} Shape
 */

class Invalid extends Error {}

/** @returns {Shape} */
function check(expected, accepts) {
  return (value, path) => {
    if (!accepts(value)) throw new Invalid(`${path} is not ${expected}`);
    return value;
  };
}

const text = check('a string', (value) => typeof value === 'string');
/** A name, normalized. @type {Shape} */
const name = (value, path) => normalizeName(text(value, path));
const flag = check('true or false', (value) => typeof value === 'boolean');
const integer = check('a whole number', (value) => Number.isSafeInteger(value));
const count = check('a whole number from 0', (value) => Number.isSafeInteger(value) && value >= 0);
const epoch = check('16 hexadecimal digits', (value) => /^[0-9a-f]{16}$/i.test(value));
const hash = check('a hash', (value) => /^[0-9a-f]{1,128}$/i.test(value));
const anyValue = (value) => value;

/** @returns {Shape} */
function between(min, max) {
  return check(
    `a number from ${min} to ${max}`,
    (value) => typeof value === 'number' && value >= min && value <= max,
  );
}

/** @returns {Shape} */
function listOf(shape) {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Invalid(`${path} is not a list`);
    return value.map((item, at) => shape(item, `${path}[${at}]`));
  };
}

/** A field that may be absent, or null. */
function optional(shape) {
  return Object.assign((value, path) => shape(value, path), { absent: undefined, mayBeAbsent: true });
}

/** A field with a default value. */
function defaulted(shape, absent) {
  return Object.assign((value, path) => shape(value, path), { absent, mayBeAbsent: true });
}

/** Keeps the known fields and drops all others. @returns {Shape} */
function object(fields) {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Invalid(`${path} is not an object`);
    }
    const kept = {};
    for (const [field, shape] of Object.entries(fields)) {
      const given = Object.hasOwn(value, field) ? value[field] : undefined;
      if ((given === undefined || given === null) && shape.mayBeAbsent) {
        if (shape.absent !== undefined) kept[field] = shape.absent;
      } else {
        kept[field] = shape(given, `${path}.${field}`);
      }
    }
    return kept;
  };
}

const gain = between(0, 4);
const rate = between(0.25, 4);
const pan = between(-1, 1);
const by = object({ id: count, name });

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
  target: optional(listOf(name)),
  data: optional(anyValue),
  by,
};

const sound = object({
  name,
  hash,
  bytes: count,
  frames: count,
  rate: between(1000, 768000),
  channels: between(1, 8),
});

const client = object({
  id: count,
  name,
  kind: text,
  report: optional(object(reportFields)),
  straggler: optional(flag),
});

const CLIENT_TO_RELAY = {
  hello: { name, kind: text, client: text },
  probe: { sent: integer },
  trigger: {
    sound: optional(name),
    gain: defaulted(gain, 1),
    rate: defaulted(rate, 1),
    pan: defaulted(pan, 0),
    target: optional(listOf(name)),
    data: optional(anyValue),
  },
  stop: { trigger: optional(count), sound: optional(name) },
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
    total: count,
    clients: listOf(client),
    lead_micros: count,
  },
  probe_reply: { sent: integer, received: count, replied: count },
  trigger: triggerFields,
  stop: { seq: count, stop_at: count, trigger: optional(count), sound: optional(name), by },
  roster: {
    total: count,
    clients: listOf(client),
    left: optional(listOf(count)),
    lead_micros: count,
  },
  bank: { sounds: listOf(sound), default_sound: name },
  error: { code: text, message: text },
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
