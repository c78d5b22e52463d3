// The volume: the position of the fader, 0 to 1, whose square is the amplitude; and decibels, in which the
// relay keeps it.
//
// Pure.

/** This volume is silence, in dB. */
export const SILENT_DB = -60;

/** The volume at a position of the fader, in dB, to a hundredth. */
export function volumeDbOf(position) {
  if (position <= 0) return SILENT_DB;
  return Math.max(SILENT_DB, Math.round(4000 * Math.log10(position)) / 100);
}

/** The position of the fader for a volume, in dB: so exact that the volume at it is the same to a hundredth. */
export function positionOfDb(decibels) {
  if (decibels <= SILENT_DB) return 0;
  return Math.min(1, Math.round(1e6 * 10 ** (decibels / 40)) / 1e6);
}
