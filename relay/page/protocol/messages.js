// The wire `downbeat.v1`, as docs/PROTOCOL.md tables it: one table of fields for each message and
// direction, and one reader for all of them. Messages keep the wire's own field names.
//
// Pure: no socket, no DOM, no clock. Never throws at what it is given to read, and never hands on a
// value that it has not checked, except the free `data` of a trigger.

/** The subprotocol that the page asks for. */
export const SUBPROTOCOL = 'downbeat.v1';

/** Longest name of a client, in characters. */
export const MAX_NAME_CHARS = 64;

/**
 * A shape checks one value: it returns the value to hand on, or throws `Unreadable`.
 * @typedef {(value: any, path: string) => any} Shape
 */

class Unreadable extends Error {}

/** @returns {Shape} */
function check(expected, accepts) {
  return (value, path) => {
    if (!accepts(value)) throw new Unreadable(`${path} is not ${expected}`);
    return value;
  };
}

const text = check('a string', (value) => typeof value === 'string');
/** A name from the wire. @type {Shape} */
const name = (value, path) => clean(text(value, path));
const flag = check('true or false', (value) => typeof value === 'boolean');
const integer = check('a whole number', (value) => Number.isSafeInteger(value));
const count = check('a whole number from 0', (value) => Number.isSafeInteger(value) && value >= 0);
const epoch = check('16 hexadecimal digits', (value) => /^[0-9a-f]{16}$/i.test(value));
const hash = check('a hash', (value) => /^[0-9a-f]{1,128}$/i.test(value));
const anything = (value) => value;

/** @returns {Shape} */
function between(least, most) {
  return check(
    `a number from ${least} to ${most}`,
    (value) => typeof value === 'number' && value >= least && value <= most,
  );
}

/** @returns {Shape} */
function listOf(shape) {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Unreadable(`${path} is not a list`);
    return value.map((item, at) => shape(item, `${path}[${at}]`));
  };
}

/** A field that may be absent, or null. */
function optional(shape) {
  return Object.assign((value, path) => shape(value, path), { absent: undefined, mayBeAbsent: true });
}

/** A field that has a value even if it is absent. */
function defaulted(shape, absent) {
  return Object.assign((value, path) => shape(value, path), { absent, mayBeAbsent: true });
}

/** Reads the known fields and leaves the others behind. @returns {Shape} */
function object(fields) {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Unreadable(`${path} is not an object`);
    }
    const read = {};
    for (const [name, shape] of Object.entries(fields)) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined;
      if ((given === undefined || given === null) && shape.mayBeAbsent) {
        if (shape.absent !== undefined) read[name] = shape.absent;
      } else {
        read[name] = shape(given, `${path}.${name}`);
      }
    }
    return read;
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
  data: optional(anything),
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
    data: optional(anything),
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
    limits: object({ message_bytes: count, least_lead_micros: count, most_lead_micros: count }),
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
 * The message; or neither, for a type that this version does not know and so ignores; or what is
 * wrong with the text, for the log.
 */

/** @returns {Decoded} */
function decode(table, given) {
  try {
    if (typeof given !== 'string') throw new Unreadable('the message is not text');
    const value = JSON.parse(given);
    const { type } = object({ type: text })(value, 'message');
    if (!Object.hasOwn(table, type)) return { message: null, problem: null };
    return { message: { type, ...object(table[type])(value, type) }, problem: null };
  } catch (error) {
    return { message: null, problem: error.message };
  }
}

/** Reads what the relay sent. @param {unknown} given @returns {Decoded} */
export function decodeFromRelay(given) {
  return decode(RELAY_TO_CLIENT, given);
}

/** Reads what a client sent, as a relay would. @param {unknown} given @returns {Decoded} */
export function decodeFromClient(given) {
  return decode(CLIENT_TO_RELAY, given);
}

/** A message as its text frame. Fields that are undefined are left out. */
export function encode(message) {
  return JSON.stringify(message);
}

/** What cannot be seen, or changes how what stands around it is seen. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** A name as it is compared and shown, of any length. */
function clean(name) {
  return name.replace(HIDDEN, '').normalize('NFC').trim();
}

/**
 * `given` as the relay will show it to others: without what is hidden, composed, the ends trimmed;
 * null if nothing is left or it is too long. The relay applies the same rule, and
 * tests/vectors/names.json holds both to it.
 */
export function cleanName(given) {
  const name = clean(given);
  const chars = [...name].length;
  return chars >= 1 && chars <= MAX_NAME_CHARS ? name : null;
}
