// Keeps a long sound on time: tracks the position of a voice and computes the speed that brings it to
// where it is due. The desktop client's `audio/voice.rs` does the same, frame by frame.
//
// Pure: context times and positions go in. Positions are in seconds of the sound.

import { QUANTUM_FRAMES } from './placement.js';

/** Within this error, in seconds, a voice keeps its exact speed: a short sound plays unmodified, and
 * the output clock is hardly more exact than this. */
const DEADBAND_SECONDS = 0.0003;

/** Time constants of the servo: of closing a small error, and of smoothing the change of speed. A ratio
 * of four to one is critical damping. Both are twice the desktop client's, because a browser's readings
 * are noisier. */
const SERVO_SECONDS = 2;
const SMOOTHING_SECONDS = 0.5;

/** Maximum change of speed to close an error: 500 ppm, less than a hundredth of a semitone. It excludes
 * the compensation of the device's drift, which only corrects the pitch and may be larger on the
 * virtual card of a sound server. */
const MAX_CORRECTION = 500e-6;

/** Beyond this error, in seconds, correcting the speed would take minutes: the voice jumps. */
const JUMP_SECONDS = 0.05;

/** How far ahead of the mix a change of speed is scheduled, in seconds, so that it is never late. */
const AHEAD_SECONDS = 0.03;

/**
 * The context time at which a change of speed scheduled now takes effect: Web Audio reads a source's
 * speed once per render quantum.
 */
export function changeTime(mixSeconds, sampleRate) {
  const quantum = QUANTUM_FRAMES / sampleRate;
  return Math.ceil((mixSeconds + AHEAD_SECONDS) / quantum) * quantum;
}

/** The position of one voice, and the speed that it should have. */
export class Servo {
  /** The voice was at `#position` at `#from`, and has had `#speed` since. */
  #from;
  #position;
  #speed;
  #rate;
  /** The part of the correction that closes the error; the rest compensates drift. */
  #closing = 0;
  #steered = false;

  /**
   * @param {import('./placement.js').Placement} placement how the voice was started
   * @param {number} rate factor on its speed
   */
  constructor({ when, offset }, rate) {
    this.#from = when;
    this.#position = offset;
    this.#rate = rate;
    this.#speed = Math.fround(rate);
  }

  positionAt(contextSeconds) {
    return this.#position + (contextSeconds - this.#from) * this.#speed;
  }

  /**
   * Compares the position of the voice at a context time with the position where it is due.
   *
   * @param {number} at when a new speed would take effect, see `changeTime`
   * @param {number} due position at `at`
   * @param {number} drift how much faster relay time runs than the context, as a fraction
   * @returns {{jump: boolean, speed: number | null}} whether the voice must jump; else its speed from
   *   `at` on, null if unchanged
   */
  steer(at, due, drift) {
    const seconds = at - this.#from;
    if (seconds <= 0) return { jump: false, speed: null };
    const position = this.positionAt(at);
    const behind = (due - position) / this.#rate;
    if (Math.abs(behind) > JUMP_SECONDS) return { jump: true, speed: null };
    this.#steered ||= Math.abs(behind) > DEADBAND_SECONDS;
    if (!this.#steered) return { jump: false, speed: null };
    // The device's drift is known and compensated before it becomes an error.
    const wanted = Math.min(MAX_CORRECTION, Math.max(-MAX_CORRECTION, behind / SERVO_SECONDS));
    this.#closing += (wanted - this.#closing) * Math.min(1, seconds / SMOOTHING_SECONDS);
    // Web Audio holds the speed as a 32-bit float: compute with the same value.
    const speed = Math.fround(this.#rate * (1 + drift + this.#closing));
    this.#from = at;
    this.#position = position;
    this.#speed = speed;
    return { jump: false, speed };
  }
}
