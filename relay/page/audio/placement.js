// When to start a source, and at which position of its sound, so that it is heard on time.
//
// Pure: context times go in. Context time is in seconds, as Web Audio counts it.

/** Frames in a render quantum of Web Audio. */
export const QUANTUM_FRAMES = 128;

/**
 * @typedef {object} Placement How to start a source.
 * @property {number} when context time of the start
 * @property {number} offset position in the sound, in seconds of the sound
 * @property {number} lateSeconds how late that is; 0 if it starts from the beginning, on time
 */

/**
 * Places a sound: from its beginning if there is time, else in the middle, at the position where it
 * should be by then.
 *
 * @param {object} sound
 * @param {number} sound.startSeconds context time at which its first frame is due
 * @param {number} sound.lengthSeconds of the sound at its own speed
 * @param {number} sound.rate factor on its speed
 * @param {number} mixSeconds the context's `currentTime`
 * @param {number} sampleRate of the context
 * @returns {Placement | null} null if the sound is over
 */
export function place({ startSeconds, lengthSeconds, rate }, mixSeconds, sampleRate) {
  // The quantum at `mixSeconds` may already be rendering: the next one is the first possible.
  const earliest = mixSeconds + QUANTUM_FRAMES / sampleRate;
  if (startSeconds >= earliest) return { when: startSeconds, offset: 0, lateSeconds: 0 };
  const lateSeconds = earliest - startSeconds;
  const offset = lateSeconds * rate;
  return offset < lengthSeconds ? { when: earliest, offset, lateSeconds } : null;
}
