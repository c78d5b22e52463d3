// When to start a source, and at which position of its sound, so that it is heard on time.
//
// Pure: context times go in. Context time is in seconds, as Web Audio counts it.

/** Frames in a render quantum of Web Audio. */
export const QUANTUM_FRAMES = 128;

/**
 * @typedef {object} Placement How to start a source.
 * @property {number} when context time of the start
 * @property {number} offset position at the start: seconds of a sound, cycles of a tone
 * @property {number} lateSeconds how late that is; 0 if it starts from the beginning, on time
 */

/** The first context time at which a source can still start. */
export function earliestStart(mixSeconds, sampleRate) {
  // The quantum at `mixSeconds` may already be rendering: the next one is the first possible.
  return mixSeconds + QUANTUM_FRAMES / sampleRate;
}

/**
 * Places a sound: from its beginning if there is time, else in the middle, at the position where it
 * should be by then.
 *
 * @param {object} sound
 * @param {number} sound.startSeconds context time at which its first frame is due
 * @param {(seconds: number) => number} sound.positionAt where it is due at a context time
 * @param {(seconds: number) => boolean} sound.isOver whether it is over at a context time
 * @param {number} earliest see `earliestStart`
 * @returns {Placement | null} null if the sound is over
 */
export function place({ startSeconds, positionAt, isOver }, earliest) {
  if (startSeconds >= earliest) return { when: startSeconds, offset: 0, lateSeconds: 0 };
  if (isOver(earliest)) return null;
  return { when: earliest, offset: positionAt(earliest), lateSeconds: earliest - startSeconds };
}
