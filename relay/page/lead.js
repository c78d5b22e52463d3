// How early this page must be told of a trigger to start it on time: the late tail of the way from
// the relay, the way from the mix to the ear, and one render quantum.
//
// Pure: delays and latencies go in, a need in microseconds comes out.

/** Delays remembered: a minute at the steady pace of probes. */
const DELAYS = 64;

/** Share of messages that are to be in time. One in twenty may join in the middle; a lead that
 * waits for the very worst message of a busy WiFi would make the whole room sluggish. */
const IN_TIME = 0.95;

/** The late tail of a one-way delay. */
export class DelayTail {
  #delays = [];

  /** @param {number} micros One message's way from relay to page; a negative one is clock error. */
  observe(micros) {
    this.#delays.push(Math.max(0, micros));
    if (this.#delays.length > DELAYS) this.#delays.shift();
  }

  /** The delay that all but the last few exceptions keep below, in µs; null before the first. */
  get micros() {
    if (this.#delays.length === 0) return null;
    const sorted = [...this.#delays].sort((a, b) => a - b);
    return sorted[Math.ceil(IN_TIME * sorted.length) - 1];
  }

  /** Another network, another relay: begin anew. */
  reset() {
    this.#delays = [];
  }
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
