// The sync status of this machine: how exactly it knows relay time, and whether the room's lead is
// enough for it. Describes in a sentence why it may sound apart from the others.
//
// Pure: no DOM, no clock. The counterpart of the desktop client's `sync_status`.

import { formatMicros } from './units.js';

/** An error bound above this is reported, in µs: two clicks a few milliseconds apart are heard as two.
 * The browser's output alone accounts for half a millisecond. */
export const LOOSE_MICROS = 2000;

/** Below this a loose machine counts as synchronized again: hysteresis, so that a bound that hovers
 * around the limit is reported once. */
const TIGHT_MICROS = 1600;

export class SyncStatus {
  #errorMicros = null;
  #isLoose = false;

  /** @param {number | null} errorMicros the bound on how far this machine can be off; null while unknown */
  setError(errorMicros) {
    this.#errorMicros = errorMicros;
    this.#isLoose =
      errorMicros !== null && errorMicros > (this.#isLoose ? TIGHT_MICROS : LOOSE_MICROS);
  }

  /** Whether the error bound is too large for two machines to be heard as one. */
  get isLoose() {
    return this.#isLoose;
  }

  /**
   * Why this machine may sound apart from the others; null if it does not.
   *
   * @param {boolean} isStraggler whether it requires more than the longest lead
   * @param {number | null} required the lead that it requires, in µs
   * @param {number} maxLeadMicros the longest lead that the relay grants
   */
  problem(isStraggler, required, maxLeadMicros) {
    if (isStraggler) {
      // A client that needed too much a moment ago stays a straggler for a while.
      const needed = required > maxLeadMicros ? `${formatMicros(required)} of lead` : 'more lead';
      return `Needs ${needed}; the limit is ${formatMicros(maxLeadMicros)}, so sounds start late here.`;
    }
    if (this.#isLoose) {
      const error = formatMicros(this.#errorMicros);
      return `Timing may be off by ±${error}: the network or the output is unsteady.`;
    }
    return null;
  }
}
