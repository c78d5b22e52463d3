// Values that were asked for and are not yet reported: a machine reports seconds after it was changed, and a
// control must not jump back meanwhile.
//
// Pure state: the time goes in, in ms.

/** How long a value is awaited: small changes of a report take ten seconds to come. */
const WAIT_MILLIS = 12_000;

/** How much a number may lose on its way. */
const TOLERANCE = 0.02;

/** Most values of a moved fader that may still be reported; of more, the oldest is forgotten. */
const MAX_ASKED = 256;

export class Expected {
  /** What was reported last, by key. @type {Map<string, any>} */
  #reported = new Map();
  /** By key, with what was reported when the first of them was asked for.
   * @type {Map<string, {asked: any[], former: any, until: number}>} */
  #values = new Map();

  /** A value was asked for. */
  expect(key, value, nowMillis) {
    const { asked, former } = this.#values.get(key) ?? { asked: [], former: this.#reported.get(key) };
    this.#values.set(key, { asked: [...asked, value].slice(-MAX_ASKED), former, until: nowMillis + WAIT_MILLIS });
  }

  /** What to show where `reported` is reported. */
  shown(key, reported, nowMillis) {
    this.#reported.set(key, reported);
    const expected = this.#values.get(key);
    if (!expected) return reported;
    const { asked, until } = expected;
    const value = asked.at(-1);
    if (nowMillis < until && !isSame(value, reported) && isOlder(expected, reported)) return value;
    this.#values.delete(key);
    return reported;
  }

  clear() {
    this.#reported.clear();
    this.#values.clear();
  }
}

/** Whether what is reported may be older than what was asked for last. Otherwise someone else has changed it. */
function isOlder({ asked, former }, reported) {
  // Several machines do not report at once: what they have in common is unknown meanwhile.
  if (typeof reported !== 'number') return true;
  return [former, ...asked].some((value) => isSame(value, reported));
}

function isSame(a, b) {
  if (typeof a !== 'number' || typeof b !== 'number') return a === b;
  return Math.abs(a - b) <= TOLERANCE;
}
