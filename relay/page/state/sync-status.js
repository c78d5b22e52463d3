// How this machine's own part in the room stands: how well it knows the relay's time, and whether the
// room waits for it. What is amiss is said in plain sentences.
//
// Pure: the twin of the desktop client's `standing.rs`. Touches no page.

/** A machine that may be off by more is worth a word, in µs: two clicks a few milliseconds apart are
 * heard as two. The browser's own part is half a millisecond. */
export const LOOSE_MICROS = 2000;

/** Below this a loose machine is good again: a bound that hovers about the limit is told of once. */
const TIGHT_MICROS = 1600;

/** `micros` as people say it: µs while they matter, else milliseconds. */
export function inWords(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  const millis = micros / 1000;
  return `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms`;
}

export class Standing {
  #errorMicros = null;
  #loose = false;

  /** @param {number | null} errorMicros the bound on how far this machine can be off; null while unknown */
  clock(errorMicros) {
    this.#errorMicros = errorMicros;
    this.#loose = errorMicros !== null && errorMicros > (this.#loose ? TIGHT_MICROS : LOOSE_MICROS);
  }

  /** Whether relay time is known too badly for two machines to be heard as one. */
  get loose() {
    return this.#loose;
  }

  /**
   * Why this machine may be heard apart from the others; null if nothing is amiss.
   *
   * @param {object | undefined} own its entry in the roster, if that names it
   * @param {number | undefined} mostLeadMicros what the room waits for at most
   */
  problem(own, mostLeadMicros) {
    if (own?.straggler) {
      // Who needed too much a moment ago is not trusted again at once.
      const needed = own.report?.lead_micros;
      const needs = needed > mostLeadMicros ? `${inWords(needed)}, more` : 'more time';
      const most = mostLeadMicros === undefined ? '' : ` (${inWords(mostLeadMicros)})`;
      return `This machine needs ${needs} than the room waits for${most}: it joins each sound in the middle.`;
    }
    if (this.#loose) {
      const error = inWords(this.#errorMicros);
      return `This machine can be off by ±${error}: the network or the output keeps time too unevenly.`;
    }
    return null;
  }
}
