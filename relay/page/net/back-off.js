// The delay between connection attempts: exponential, with jitter.

/** Longest delay after the first failure, and longest delay ever, in ms. */
const FIRST_DELAY_MILLIS = 450;
const MAX_DELAY_MILLIS = 5000;

/** From this number of attempts on, the delay no longer grows. */
const MAX_ATTEMPTS = 8;

export class BackOff {
  #attempts = 0;

  /**
   * The delay from the start of the last attempt, or from the loss, to the next attempt, in ms. The
   * jitter spans the upper three quarters, so that a room full of clients does not reconnect at once.
   */
  next(random) {
    const longest = Math.min(MAX_DELAY_MILLIS, FIRST_DELAY_MILLIS * 2 ** this.#attempts);
    this.#attempts = Math.min(this.#attempts + 1, MAX_ATTEMPTS);
    return longest * (0.25 + 0.75 * random());
  }

  reset() {
    this.#attempts = 0;
  }

  /** Makes the next delay as long as any. */
  exhaust() {
    this.#attempts = MAX_ATTEMPTS;
  }
}
