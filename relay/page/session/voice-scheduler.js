// Turns what should be sounding into voices that sound at the promised instant, and keeps the count
// that the relay is told.
//
// A trigger may come before the clock is known, its sound loaded, or the audio started: `refresh`
// is called whenever one of these comes true, and what is still to be heard is then joined in the
// middle. Draws nothing and speaks to no socket.

import { OutputClock, QUANTUM_FRAMES, place } from '../audio/output-clock.js';
import { Servo, changeTime } from '../audio/servo.js';

/** A sound that begins so little after its time was still on time: the grain of the clocks. */
const ON_TIME_MICROS = 500;

export class Player {
  #room;
  #clock;
  #bank;
  #audio;
  #on;
  #outputClock = new OutputClock();
  /** What sounds, or is scheduled to, by `seq`.
   * @type {Map<number, {voice: import('../audio/audio-output.js').Voice, buffer: AudioBuffer, servo: Servo}>} */
  #voices = new Map();
  /** What was started and so must not be started again, although it may have ended. */
  #started = new Set();

  /** Triggers sounded since the hello, how many of them were late, and how late the last one was. */
  triggers = 0;
  late = 0;
  latenessMicros = null;

  /** What this device sounds later than it says, in µs: everything is started so much earlier. */
  trimMicros = 0;

  /**
   * @param {import('../state/room.js').Room} room
   * @param {object} clock a ClockEstimator
   * @param {import('../bank/sound-bank.js').Bank} bank
   * @param {import('../audio/audio-output.js').AudioOutput} audio
   * @param {object} on
   * @param {(trigger: object, heardAtMicros: number) => void} on.started A voice has been started,
   *   and will be heard at that local time.
   * @param {(trigger: object) => void} on.missed It would have been over before it could begin.
   */
  constructor(room, clock, bank, audio, on) {
    this.#room = room;
    this.#clock = clock;
    this.#bank = bank;
    this.#audio = audio;
    this.#on = on;
  }

  /** A new life of the relay: what it numbered and timed is void, and falls silent. */
  forget() {
    for (const { voice } of this.#voices.values()) this.#audio.end(voice, 0);
    this.#voices.clear();
    this.#started.clear();
  }

  /** A new hello: the relay counts from here. */
  resetCounts() {
    this.triggers = 0;
    this.late = 0;
    this.latenessMicros = null;
  }

  /** The context began to run, perhaps on another device: nothing that was read holds any more. */
  outputChanged() {
    this.#outputClock.reset();
  }

  /** Takes a reading of the context; true if from now on voices can be started. */
  readOutput() {
    if (!this.#audio.running) return false;
    const wasReady = this.#outputClock.ready;
    this.#outputClock.observe(this.#audio.read());
    return this.#outputClock.ready && !wasReady;
  }

  /** From the mix to the ear, in µs: as a rule and at worst; null without an output. */
  get latencyMicros() {
    return this.#audio.running ? this.#outputClock.latencyMicros : null;
  }

  /** How far what is heard can be off its instant by the output's part; null while that is unknown. */
  get errorMicros() {
    return this.#audio.running ? this.#outputClock.errorMicros : null;
  }

  get worstAheadMicros() {
    return this.#audio.running ? this.#outputClock.worstAheadMicros : null;
  }

  /** Starts what should sound and does not, and ends what sounds and should not. */
  refresh() {
    for (const [seq, { voice }] of this.#voices) {
      if (!this.#room.wanted.has(seq)) {
        this.#audio.end(voice, 0);
        this.#voices.delete(seq);
      }
    }
    const estimate = this.#clock.estimate();
    if (!estimate || !this.#audio.running || !this.#outputClock.ready) return;
    for (const wanted of this.#room.wanted.values()) this.#start(wanted, estimate);
  }

  /** Ends `wanted` at its `stopAt`. */
  stop({ trigger, stopAt }) {
    const sounding = this.#voices.get(trigger.seq);
    const estimate = this.#clock.estimate();
    if (sounding && estimate) this.#audio.end(sounding.voice, this.#contextAt(stopAt, estimate));
  }

  /** Holds what sounds to relay time; to be called after every reading of the output. */
  hold() {
    const estimate = this.#clock.estimate();
    if (!estimate || !this.#audio.running || !this.#outputClock.settled) return;
    const at = changeTime(this.#audio.mixSeconds, this.#audio.sampleRate);
    const relayMicros = this.#relayAt(at, estimate);
    const drift = (this.#relayAt(at + 1, estimate) - relayMicros) / 1e6 - 1;
    for (const [seq, { voice, buffer, servo }] of this.#voices) {
      const wanted = this.#room.wanted.get(seq);
      if (!wanted || relayMicros >= (wanted.stopAt ?? Infinity)) continue;
      const elapsedSeconds = (relayMicros - wanted.trigger.play_at) / 1e6;
      const { jump, speed } = servo.steer(at, elapsedSeconds * wanted.trigger.rate, drift);
      if (jump) this.#jump(wanted, voice, buffer, at, elapsedSeconds);
      else if (speed !== null) this.#audio.setSpeed(voice, speed, at);
    }
  }

  /** Takes up `wanted` anew where it is due at context time `at`, while its voice fades. */
  #jump({ trigger, stopAt }, voice, buffer, at, elapsedSeconds) {
    const { sampleRate } = this.#audio;
    this.#audio.end(voice, at);
    this.#voices.delete(trigger.seq);
    const placement = place(
      { startSeconds: at - elapsedSeconds, lengthSeconds: buffer.duration, rate: trigger.rate },
      at - QUANTUM_FRAMES / sampleRate,
      sampleRate,
    );
    if (!placement) return;
    this.#voice(trigger, buffer, placement);
    if (stopAt !== undefined) this.stop({ trigger, stopAt });
  }

  #start({ trigger, stopAt }, estimate) {
    const { seq } = trigger;
    if (this.#started.has(seq)) return;
    const buffer = this.#bank.need(trigger.sound);
    if (!buffer) return;
    const startSeconds = this.#contextAt(trigger.play_at, estimate);
    const stopSeconds = stopAt === undefined ? Infinity : this.#contextAt(stopAt, estimate);
    const placement = place(
      { startSeconds, lengthSeconds: buffer.duration, rate: trigger.rate },
      this.#audio.mixSeconds,
      this.#audio.sampleRate,
    );
    this.#started.add(seq);
    if (!placement || placement.when >= stopSeconds) {
      this.#count(this.#audio.mixSeconds - startSeconds);
      this.#on.missed(trigger);
      return;
    }
    const voice = this.#voice(trigger, buffer, placement);
    if (stopSeconds < Infinity) this.#audio.end(voice, stopSeconds);
    this.#count(placement.lateSeconds);
    this.#on.started(trigger, estimate.localAt(trigger.play_at) + this.latenessMicros);
  }

  #voice(trigger, buffer, placement) {
    const { seq } = trigger;
    const voice = this.#audio.start(buffer, placement, trigger, () => {
      // After a jump another one sounds in its place.
      if (this.#voices.get(seq)?.voice === voice) this.#voices.delete(seq);
    });
    this.#voices.set(seq, { voice, buffer, servo: new Servo(placement, trigger.rate) });
    return voice;
  }

  #count(lateSeconds) {
    this.triggers += 1;
    this.latenessMicros = Math.max(0, Math.round(lateSeconds * 1e6));
    if (this.latenessMicros > ON_TIME_MICROS) this.late += 1;
  }

  /** The context time that is heard, on this device, at a relay time. */
  #contextAt(relayMicros, estimate) {
    return this.#outputClock.contextAt(estimate.localAt(relayMicros) - this.trimMicros);
  }

  /** The relay time that is heard, on this device, at a context time: the inverse. */
  #relayAt(contextSeconds, estimate) {
    return estimate.relayAt(this.#outputClock.localAt(contextSeconds) + this.trimMicros);
  }

  /** Forgets the numbers of what can no longer be wanted. */
  prune() {
    for (const seq of this.#started) if (!this.#room.wanted.has(seq)) this.#started.delete(seq);
  }
}
