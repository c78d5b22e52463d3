// Holds a long sound to relay time: where a voice is, and how fast it must play to be where it is
// due. The desktop player's `audio/voice.rs` does the same, frame by frame.
//
// Pure: context times and positions go in. Positions are in seconds of the sound.

import { QUANTUM_FRAMES } from './output-clock.js';

/** Off by less than this, in seconds, a voice keeps its exact speed: a short sound is then played
 * untouched, and the readings of an output are not known much better. */
const DEADBAND_SECONDS = 0.0003;

/** The servo's time constants: how long it takes to close most of a small gap, and to change the
 * speed for it. Four to one is critical damping. Both are twice the desktop's, because a browser's
 * readings are noisier than a device's. */
const SERVO_SECONDS = 2;
const SMOOTHING_SECONDS = 0.5;

/** Most that the speed is changed to close a gap: 500 ppm, less than a hundredth of a semitone. What
 * makes up for the drift of the device is not counted: it only brings the pitch to what it should
 * be, and the virtual card of a sound server may need more than that. */
const SERVO_MOST = 500e-6;

/** Off by more than this, gliding would take minutes: the voice jumps. */
const JUMP_SECONDS = 0.05;

/** A change of speed is asked for so much ahead of the mix that it is never too late for its time. */
const AHEAD_SECONDS = 0.03;

/**
 * The context time from which a change of speed that is asked for now can hold: Web Audio looks at
 * a source's speed once a render quantum.
 */
export function changeTime(mixSeconds, sampleRate) {
  const quantum = QUANTUM_FRAMES / sampleRate;
  return Math.ceil((mixSeconds + AHEAD_SECONDS) / quantum) * quantum;
}

/** Where one voice is, and the speed that it should have. */
export class Servo {
  /** The voice has been at `#position` at `#from`, and has had `#speed` since. */
  #from;
  #position;
  #speed;
  #rate;
  /** What part of the correction closes the gap there is; the rest keeps it closed. */
  #closing = 0;
  #steered = false;

  /**
   * @param {import('./output-clock.js').Placement} placement how the voice was started
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
   * Compares where the voice is at a context time with where it is due.
   *
   * @param {number} at a time from which a new speed would hold, see `changeTime`
   * @param {number} due position at `at`
   * @param {number} drift how much faster than the context relay time runs, as a part of it
   * @returns {{jump: boolean, speed: number | null}} whether it is too far off to glide; else its
   *   speed from `at` on, null if that is as it was
   */
  steer(at, due, drift) {
    const seconds = at - this.#from;
    if (seconds <= 0) return { jump: false, speed: null };
    const position = this.positionAt(at);
    const behind = (due - position) / this.#rate;
    if (Math.abs(behind) > JUMP_SECONDS) return { jump: true, speed: null };
    this.#steered ||= Math.abs(behind) > DEADBAND_SECONDS;
    if (!this.#steered) return { jump: false, speed: null };
    // The device's drift is known, and is met before it becomes a gap.
    const wanted = Math.min(SERVO_MOST, Math.max(-SERVO_MOST, behind / SERVO_SECONDS));
    this.#closing += (wanted - this.#closing) * Math.min(1, seconds / SMOOTHING_SECONDS);
    // The speed is a float of 32 bits in Web Audio: to be counted as what it is there.
    const speed = Math.fround(this.#rate * (1 + drift + this.#closing));
    this.#from = at;
    this.#position = position;
    this.#speed = speed;
    return { jump: false, speed };
  }
}
