// The sequence numbers received in one epoch, in bounded memory. Pure state.

/** A sequence number this far behind the highest is taken for a duplicate. */
const SEEN_WINDOW = 1024;

export class SeenNumbers {
  #numbers = new Set();
  #highest = 0;

  get highest() {
    return this.#highest;
  }

  /** Adds `seq`; true if it is new. */
  add(seq) {
    if (seq <= this.#highest - SEEN_WINDOW || this.#numbers.has(seq)) return false;
    this.#numbers.add(seq);
    this.#highest = Math.max(this.#highest, seq);
    if (this.#numbers.size > 2 * SEEN_WINDOW) {
      const floor = this.#highest - SEEN_WINDOW;
      for (const number of this.#numbers) if (number <= floor) this.#numbers.delete(number);
    }
    return true;
  }
}
