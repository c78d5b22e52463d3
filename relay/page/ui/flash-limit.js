// Limits the flashes at full contrast to three a second: more can cause seizures (WCAG 2.3.1). A drum
// roll has more; the others are shown at low contrast.

/** Maximum number of flashes at full contrast within any second. */
const MAX_FLASHES = 3;
const SECOND_MILLIS = 1000;

export class FlashLimit {
  /** Start times of the last flashes at full contrast. */
  #flashes = [];

  /** Whether a flash at `nowMillis` may have full contrast; if so, it is counted. */
  allows(nowMillis) {
    const oldest = this.#flashes[this.#flashes.length - MAX_FLASHES];
    if (nowMillis - oldest < SECOND_MILLIS) return false;
    this.#flashes = [...this.#flashes, nowMillis].slice(-MAX_FLASHES);
    return true;
  }
}
