// One cue: a trigger as it sounds on this machine, and the way of its position.
//
// Pure state: no audio, no clock. Times are µs of relay time. The position of a sound of the bank is in
// seconds of the sound; that of a tone in cycles.

import { level, travel, valueAt, ratioOf, combine } from '../automation/line.js';
import { TONE } from '../protocol/fields.js';
import { DEFAULT_FREQUENCY } from './bindings.js';

/** The tone of a trigger that describes none. */
const DEFAULT_TONE = { duration_micros: 500_000, shape: 'sine' };

const NO_BEND = level(0);

export class Cue {
  #bindings;
  /** The position at a time up to which it does not change any more. */
  #reached;

  /** The trigger that started it. */
  trigger;
  /** The sound as the bank had it then; undefined for a tone, and if the bank had no such sound. */
  sound;
  /** The tone that it plays; undefined for a sound of the bank. */
  tone;
  /** When its first frame is heard here. */
  startsAt;
  /** Whether it starts as soon as this machine can, and is never late. */
  startsOnArrival = false;
  /** When it is silenced before its end. @type {number | undefined} */
  stopAt;

  /**
   * @param {object} trigger
   * @param {number} delayMicros how much later than `play_at` it starts here
   * @param {object} [sound]
   * @param {import('./bindings.js').Bindings} bindings
   */
  constructor(trigger, delayMicros, sound, bindings) {
    this.trigger = trigger;
    this.#bindings = bindings;
    if (trigger.sound === TONE) this.tone = trigger.tone ?? DEFAULT_TONE;
    else this.sound = sound;
    this.startAt(trigger.play_at + delayMicros);
  }

  /** It starts as soon as it can after `arrivedAt`, from its beginning. */
  startOnArrival(arrivedAt) {
    this.startAt(arrivedAt);
    this.startsOnArrival = true;
  }

  /** It starts at another time. */
  startAt(startsAt) {
    this.startsAt = startsAt;
    this.#reached = { at: startsAt, position: 0 };
  }

  /** Length in seconds of the sound; Infinity for a loop. */
  get length() {
    if (!this.sound) return 0;
    return this.loop ? Infinity : this.sound.frames / this.sound.rate;
  }

  /** What repeats, in seconds of the sound. @returns {{start: number, end: number} | undefined} */
  get loop() {
    const { loop, rate } = this.sound ?? {};
    return loop && { start: loop.start / rate, end: loop.end / rate };
  }

  /** The speed that the trigger asks for: a factor on that of a sound, or the frequency of a tone in Hz. */
  get speed() {
    const { rate } = this.trigger;
    return this.tone ? (this.tone.frequency ?? DEFAULT_FREQUENCY) * rate : rate;
  }

  /** What transposes it, in cents. */
  get bend() {
    const cents = this.#bindings.cents(this.trigger.sound);
    const frequency =
      this.tone && this.tone.frequency === undefined ? this.#bindings.frequency() : NO_BEND;
    if (frequency.length === 1 && frequency[0].start === 0) return cents;
    return this.#sumOf(cents, frequency);
  }

  /** The factor on its level. */
  get gain() {
    return this.#bindings.gain(this.trigger.sound);
  }

  /** What is added to its pan. */
  get pan() {
    return this.#bindings.pan(this.trigger.sound);
  }

  /** The position at a time, however often a loop has repeated by then. */
  positionAt(relayMicros) {
    const { at, position } = this.#reached;
    return position + (this.speed * travel(this.bend, at, relayMicros)) / 1e6;
  }

  /** The position of a time is settled. */
  advance(relayMicros) {
    if (relayMicros <= this.#reached.at) return;
    this.#reached = { at: relayMicros, position: this.positionAt(relayMicros) };
  }

  /** Whether it sounds no more at a time. */
  isOver(relayMicros) {
    if (relayMicros >= (this.stopAt ?? Infinity)) return true;
    if (this.tone) return relayMicros >= this.startsAt + this.tone.duration_micros;
    return relayMicros >= this.startsAt && this.positionAt(relayMicros) >= this.length;
  }

  /** Whether a stop cancels it before it starts. */
  get isCancelled() {
    return (this.stopAt ?? Infinity) <= this.startsAt;
  }

  /**
   * How far it is at a time.
   * @returns {{share: number, leftMicros: number}} the share that is over, and what is left of it if
   *   nothing changes; Infinity for a loop
   */
  progressAt(relayMicros) {
    const stopIn = (this.stopAt ?? Infinity) - relayMicros;
    if (this.tone) {
      const { duration_micros: duration } = this.tone;
      const elapsed = relayMicros - this.startsAt;
      return { share: elapsed / duration, leftMicros: Math.min(duration - elapsed, stopIn) };
    }
    const position = this.positionAt(relayMicros);
    if (this.loop) {
      const { start, end } = this.loop;
      const inLoop = position < end ? position : start + ((position - start) % (end - start));
      return { share: inLoop / (this.sound.frames / this.sound.rate), leftMicros: stopIn };
    }
    const speed = this.speed * ratioOf(valueAt(this.bend, relayMicros));
    const leftMicros = ((this.length - position) / speed) * 1e6;
    return { share: position / this.length, leftMicros: Math.min(leftMicros, stopIn) };
  }

  /** The sum of two lines, the same object for the same lines. */
  #sum = null;
  #sumOf(a, b) {
    if (this.#sum?.a !== a || this.#sum.b !== b) {
      this.#sum = { a, b, line: combine([a, b], (x, y) => x + y, () => true) };
    }
    return this.#sum.line;
  }
}
