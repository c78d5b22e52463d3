// How many flashes a person is shown. More than three a second can cause seizures (WCAG 2.3.1), and a
// drum roll has more: those beyond are shown with little contrast.

/** Most flashes at full contrast within any second. */
const MOST_FLASHES = 3;
const SECOND_MILLIS = 1000;

export class FlashLimit {
  /** When the last flashes at full contrast began. */
  #flashes = [];

  /** Whether a flash at `nowMillis` may have full contrast; it then counts. */
  allows(nowMillis) {
    const oldest = this.#flashes[this.#flashes.length - MOST_FLASHES];
    if (nowMillis - oldest < SECOND_MILLIS) return false;
    this.#flashes = [...this.#flashes, nowMillis].slice(-MOST_FLASHES);
    return true;
  }
}
