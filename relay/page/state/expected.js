// Values that were asked for and are not yet reported: a machine reports seconds after it was changed, and a
// control must not jump back meanwhile.
//
// Pure state: the time goes in, in ms.

/** How long a value is awaited: small changes of a report take ten seconds to come. */
const WAIT_MILLIS = 12_000;

/** How much a number may lose on its way. */
const TOLERANCE = 0.02;

export class Expected {
  /** @type {Map<string, {value: any, until: number}>} */
  #values = new Map();

  /** A value was asked for. */
  expect(key, value, nowMillis) {
    this.#values.set(key, { value, until: nowMillis + WAIT_MILLIS });
  }

  /** What to show where `reported` is reported. */
  shown(key, reported, nowMillis) {
    const expected = this.#values.get(key);
    if (!expected) return reported;
    if (nowMillis < expected.until && !isSame(expected.value, reported)) return expected.value;
    this.#values.delete(key);
    return reported;
  }

  clear() {
    this.#values.clear();
  }
}

function isSame(a, b) {
  if (typeof a !== 'number' || typeof b !== 'number') return a === b;
  return Math.abs(a - b) <= TOLERANCE;
}
