// The value that a control shows while it is held: its own, not what comes back from the relay late.
//
// Pure state: the time goes in, in ms.

/** How long a control waits for its own last value to come back after it was released. */
const SETTLE_MILLIS = 1000;

/** Whether two values are the same: a number may lose its last bit on the way through the relay. */
function isSame(a, b) {
  if (typeof a !== 'number' || typeof b !== 'number') return JSON.stringify(a) === JSON.stringify(b);
  return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
}

export class HeldValue {
  #received;
  #own;
  /** When the control was released, until its own value has come back; null if it shows what it receives. */
  #releasedAt = null;
  #isHeld = false;

  constructor(value) {
    this.#received = value;
  }

  /** The control is moved by hand. */
  move(value) {
    this.#own = value;
    this.#isHeld = true;
  }

  /** The hand leaves the control. */
  release(nowMillis) {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#releasedAt = nowMillis;
  }

  /** A value has taken effect. @param {boolean} isOwn whether this client has set it */
  receive(value, isOwn, nowMillis) {
    this.#received = value;
    if (this.#isHeld || this.#releasedAt === null) return;
    // Others have taken over, or the last own value is back.
    const isBack = !isOwn || isSame(value, this.#own);
    if (isBack || nowMillis - this.#releasedAt >= SETTLE_MILLIS) this.#releasedAt = null;
  }

  /** The relay refused the value. */
  refuse() {
    this.#isHeld = false;
    this.#releasedAt = null;
  }

  shown(nowMillis) {
    if (this.#isHeld) return this.#own;
    if (this.#releasedAt !== null && nowMillis - this.#releasedAt >= SETTLE_MILLIS) this.#releasedAt = null;
    return this.#releasedAt === null ? this.#received : this.#own;
  }

  /** When `shown` may change by itself, in ms; null if it does not. */
  get settlesAt() {
    return this.#releasedAt === null ? null : this.#releasedAt + SETTLE_MILLIS;
  }
}
