// The waveform of a sound in a fixed number of bins, for its picture. Pure.

/** Number of bins, whatever the length of the sound. */
export const BINS = 96;

/**
 * The highest level in each bin, over all channels, relative to the highest of all; 0 in silence.
 * @param {Float32Array[]} channels
 * @returns {Float32Array}
 */
export function peaksOf(channels) {
  const peaks = new Float32Array(BINS);
  const frames = channels[0].length;
  for (const values of channels) {
    for (let bin = 0; bin < BINS; bin += 1) {
      const from = Math.floor((bin * frames) / BINS);
      // A sound of few frames repeats them.
      const to = Math.max(from + 1, Math.floor(((bin + 1) * frames) / BINS));
      for (let frame = from; frame < to && frame < frames; frame += 1) {
        const value = Math.abs(values[frame]);
        if (value > peaks[bin]) peaks[bin] = value;
      }
    }
  }
  const highest = peaks.reduce((most, peak) => Math.max(most, peak), 0);
  return highest > 0 ? peaks.map((peak) => peak / highest) : peaks;
}
