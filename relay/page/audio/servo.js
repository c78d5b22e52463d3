// Keeps a long sound on time: tracks the position of a voice and computes the speed that brings it to
// where it is due. The desktop client's `audio/voice.rs` does the same, frame by frame.
//
// A variable may transpose the voice meanwhile. The servo counts that transposition as part of the way, so
// that it corrects errors only, and never the glide.
//
// Pure: context times and positions go in. Positions are in seconds of a sound, or in cycles of a tone.

import { ratioOf, travel, valueAt } from '../automation/line.js';
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
  /** The voice is at `position` at `from`, and has `speed` from then on. */
  #now;
  /** The same for the time before. */
  #before;
  #rate;
  /** What transposes the voice, in cents over context time. */
  #bend;
  /** The part of the correction that closes the error; the rest compensates drift. */
  #closing = 0;
  #steered = false;

  /**
   * @param {import('./placement.js').Placement} placement how the voice was started
   * @param {number} rate its speed without transposition
   * @param {import('../automation/line.js').Line} bend
   */
  constructor({ when, offset }, rate, bend) {
    this.#now = { from: when, position: offset, speed: Math.fround(rate) };
    this.#before = this.#now;
    this.#rate = rate;
    this.#bend = bend;
  }

  positionAt(contextSeconds) {
    const { from, position, speed } = contextSeconds < this.#now.from ? this.#before : this.#now;
    return position + speed * travel(this.#bend, from, contextSeconds);
  }

  /**
   * The voice follows another transposition.
   * @param {import('../automation/line.js').Line} bend equal to the former one up to `from`
   */
  bend(bend, from) {
    const until = this.#now.from;
    if (from < until && this.#before !== this.#now) {
      // A change of speed is scheduled ahead: the way up to it has become another.
      const changed = travel(bend, from, until) - travel(this.#bend, from, until);
      this.#now = { ...this.#now, position: this.#now.position + this.#before.speed * changed };
    }
    this.#bend = bend;
  }

  /**
   * Compares the position of the voice at a context time with the position where it is due.
   *
   * @param {number} at when a new speed would take effect, see `changeTime`
   * @param {number} due position at `at`
   * @param {number} drift how much faster relay time runs than the context, as a fraction
   * @returns {{jump: boolean, speed: number | null}} whether the voice must jump; else its speed without
   *   transposition from `at` on, null if unchanged
   */
  steer(at, due, drift) {
    const seconds = at - this.#now.from;
    if (seconds <= 0) return { jump: false, speed: null };
    const position = this.positionAt(at);
    const behind = (due - position) / (this.#rate * ratioOf(valueAt(this.#bend, at)));
    if (Math.abs(behind) > JUMP_SECONDS) return { jump: true, speed: null };
    this.#steered ||= Math.abs(behind) > DEADBAND_SECONDS;
    if (!this.#steered) return { jump: false, speed: null };
    // The device's drift is known and compensated before it becomes an error.
    const wanted = Math.min(MAX_CORRECTION, Math.max(-MAX_CORRECTION, behind / SERVO_SECONDS));
    this.#closing += (wanted - this.#closing) * Math.min(1, seconds / SMOOTHING_SECONDS);
    // Web Audio holds the speed as a 32-bit float: compute with the same value.
    const speed = Math.fround(this.#rate * (1 + drift + this.#closing));
    this.#before = this.#now;
    this.#now = { from: at, position, speed };
    return { jump: false, speed };
  }
}
