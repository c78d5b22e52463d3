// The 99th percentile of the one-way delay from the relay, over the last two minutes.
//
// A port of the desktop client's `clock/delay_quantile.rs`, so that the same network leads to the same
// lead with either client. Pure.

/** The quantile: this share of the recent delays is below it. */
const QUANTILE = 0.99;

/** The time window, in slots: a delay is forgotten after two minutes. */
const SLOTS = 12;
const SLOT_MICROS = 10_000_000;

/** Logarithmic bins, eight to the octave and so 9 % wide: from 16 µs, below which delays do not matter,
 * to 2 s, above which they are of no use. */
const BINS_PER_OCTAVE = 8;
const MIN_MICROS = 16;
const BINS = 137;

/**
 * It rises with the first message that is slower than all but one in a hundred, and falls as slow
 * messages leave the window. Memory is constant: one histogram per slot.
 */
export class DelayQuantile {
  /** The newest slot is at `#newest` modulo their number. @type {Uint32Array[]} */
  #slots;
  #newest;

  constructor() {
    this.reset();
  }

  /** Another network path or another relay: starts over. */
  reset() {
    this.#slots = Array.from({ length: SLOTS }, () => new Uint32Array(BINS));
    this.#newest = -Infinity;
  }

  /**
   * Takes the delay of a message.
   *
   * @param {number} micros from the relay to here; negative values, which an inexact clock estimate can
   *   cause, count in the lowest bin
   * @param {number} arrivedMicros local time of its arrival
   */
  observe(micros, arrivedMicros) {
    const number = Math.floor(arrivedMicros / SLOT_MICROS);
    const passed = Math.min(SLOTS, number - this.#newest);
    for (let back = 0; back < passed; back += 1) this.#slots[slotIndex(number - back)].fill(0);
    this.#newest = Math.max(this.#newest, number);
    this.#slots[slotIndex(this.#newest)][bin(micros)] += 1;
  }

  /** The quantile, in µs, over the two minutes before the newest message: the maximum of fewer than a
   * hundred messages, null before the first. */
  get micros() {
    const counts = Array.from({ length: BINS }, (_, at) =>
      this.#slots.reduce((sum, slot) => sum + slot[at], 0),
    );
    let above = Math.floor(counts.reduce((sum, count) => sum + count, 0) * (1 - QUANTILE));
    for (let at = BINS - 1; at >= 0; at -= 1) {
      if (counts[at] > above) return Math.ceil(MIN_MICROS * 2 ** (at / BINS_PER_OCTAVE));
      above -= counts[at];
    }
    return null;
  }
}

function slotIndex(number) {
  return ((number % SLOTS) + SLOTS) % SLOTS;
}

function bin(micros) {
  // Written so that NaN counts in the lowest bin.
  const octaves = micros > MIN_MICROS ? Math.log2(micros / MIN_MICROS) : 0;
  return Math.min(BINS - 1, Math.ceil(octaves * BINS_PER_OCTAVE));
}
