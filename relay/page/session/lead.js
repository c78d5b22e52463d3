// How early this page must be told of a trigger to start it on time: the late tail of the way from
// the relay, the way from the mix to the ear, and one render quantum.
//
// Pure: delays and latencies go in, a need in microseconds comes out.

/** The tail is what this share of recent delays stays below: as the desktop player has it, so that
 * the same network asks for the same lead, whichever player is on it. */
const SHARE = 0.99;

/** The recent past, in slots: a delay is forgotten after two minutes. */
const SLOTS = 12;
const SLOT_MICROS = 10_000_000;

/** Delays are counted in bins of constant ratio, eight to the octave, so that a bin is 9 % wide:
 * from 16 µs, below which no network matters, to 2 s, above which none is of use. */
const BINS_PER_OCTAVE = 8;
const LEAST_MICROS = 16;
const BINS = 137;

/**
 * The late tail of a one-way delay: the twin of the desktop client's `session/delay.rs`. It rises
 * with the first message that is slower than all but one in a hundred, and falls as slow messages
 * leave the two minutes that it looks back on. Memory is constant: a histogram a slot.
 */
export class DelayTail {
  /** The newest slot is at `#newest` modulo their number. @type {Uint32Array[]} */
  #slots;
  #newest;

  constructor() {
    this.reset();
  }

  /** Another network, another relay: begin anew. */
  reset() {
    this.#slots = Array.from({ length: SLOTS }, () => new Uint32Array(BINS));
    this.#newest = -Infinity;
  }

  /**
   * Takes in a message.
   *
   * @param {number} micros its way from the relay to here; an estimate in error can make that
   *   negative, and it then counts as next to nothing
   * @param {number} arrivedMicros local time at which it came
   */
  observe(micros, arrivedMicros) {
    const number = Math.floor(arrivedMicros / SLOT_MICROS);
    const passed = Math.min(SLOTS, number - this.#newest);
    for (let back = 0; back < passed; back += 1) this.#slots[slotIndex(number - back)].fill(0);
    this.#newest = Math.max(this.#newest, number);
    this.#slots[slotIndex(this.#newest)][bin(micros)] += 1;
  }

  /** The delay, in µs, that nearly all messages of the two minutes before the newest one stayed
   * below: of fewer than a hundred, all. Null before the first. */
  get micros() {
    const counts = Array.from({ length: BINS }, (_, at) =>
      this.#slots.reduce((sum, slot) => sum + slot[at], 0),
    );
    let above = Math.floor(counts.reduce((sum, count) => sum + count, 0) * (1 - SHARE));
    for (let at = BINS - 1; at >= 0; at -= 1) {
      if (counts[at] > above) return Math.ceil(LEAST_MICROS * 2 ** (at / BINS_PER_OCTAVE));
      above -= counts[at];
    }
    return null;
  }
}

function slotIndex(number) {
  return ((number % SLOTS) + SLOTS) % SLOTS;
}

function bin(micros) {
  // Written so that what is no number counts as next to nothing.
  const octaves = micros > LEAST_MICROS ? Math.log2(micros / LEAST_MICROS) : 0;
  return Math.min(BINS - 1, Math.ceil(octaves * BINS_PER_OCTAVE));
}

/**
 * The lead that this page needs, in µs, or null while it cannot play.
 *
 * @param {number | null} tailMicros from `DelayTail`
 * @param {number | null} aheadMicros how far the mix runs ahead of the ear, at its worst
 * @param {number} quantumMicros one render quantum
 * @param {number} trimMicros what this device sounds later than it says
 */
export function leadNeed(tailMicros, aheadMicros, quantumMicros, trimMicros) {
  if (tailMicros === null || aheadMicros === null) return null;
  return Math.max(0, Math.round(tailMicros + aheadMicros + quantumMicros + trimMicros));
}

/** Whether a need has moved so far from what was last reported that the relay should hear at once. */
export function changedMuch(needMicros, reportedMicros) {
  if (needMicros === null || reportedMicros === null) return needMicros !== reportedMicros;
  const change = Math.abs(needMicros - reportedMicros);
  return change > 2000 && change > reportedMicros / 4;
}
