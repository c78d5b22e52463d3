// Turns cues into voices that sound at their instants, and counts them for the reports.
//
// A cue may come before the clock is known, its sound loaded or the audio started: `refresh` is called
// whenever one of these becomes ready, and joins what should be sounding in the middle. Draws nothing
// and sends nothing.

import { OutputClock } from '../audio/output-clock.js';
import { QUANTUM_FRAMES, place } from '../audio/placement.js';
import { Servo, changeTime } from '../audio/servo.js';

/** A start that is late by less than this is on time: the resolution of the clocks. */
const ON_TIME_MICROS = 500;

export class VoiceScheduler {
  #cues;
  #clock;
  #bank;
  #audio;
  #on;
  #outputClock = new OutputClock();
  /** Voices that sound or are scheduled, by the sequence number of their trigger.
   * @type {Map<number, {voice: import('../audio/audio-output.js').Voice, buffer: AudioBuffer, servo: Servo}>} */
  #voices = new Map();
  /** Cues that were started and must not be started again, although they may have ended. */
  #started = new Set();

  /** Triggers sounded since the hello, how many of them were late, and the lateness of the last one. */
  triggers = 0;
  late = 0;
  latenessMicros = null;

  /** Latency that the output does not report, in µs: everything is started this much earlier. */
  extraLatencyMicros = 0;

  /**
   * @param {import('../state/cues.js').Cues} cues
   * @param {import('../clock/estimator.js').ClockEstimator} clock
   * @param {import('../bank/sound-bank.js').SoundBank} bank
   * @param {import('../audio/audio-output.js').AudioOutput} audio
   * @param {object} on
   * @param {(trigger: object, heardAtMicros: number) => void} on.started A voice was started and will
   *   be heard at that local time.
   * @param {(trigger: object) => void} on.missed The sound was over before it could start.
   */
  constructor(cues, clock, bank, audio, on) {
    this.#cues = cues;
    this.#clock = clock;
    this.#bank = bank;
    this.#audio = audio;
    this.#on = on;
  }

  /** A new epoch of the relay: ends and forgets all voices. */
  reset() {
    for (const { voice } of this.#voices.values()) this.#audio.end(voice, 0);
    this.#voices.clear();
    this.#started.clear();
  }

  /** A new hello: the counts of the reports start over. */
  resetCounts() {
    this.triggers = 0;
    this.late = 0;
    this.latenessMicros = null;
  }

  /** The context was started or stopped, perhaps on another device: earlier readings are void. */
  outputChanged() {
    this.#outputClock.reset();
  }

  /** Takes a reading of the context; true if voices can be started from now on. */
  readOutput() {
    if (!this.#audio.running) return false;
    const wasReady = this.#outputClock.ready;
    this.#outputClock.observe(this.#audio.read());
    return this.#outputClock.ready && !wasReady;
  }

  /** Latency from the mix to the output, in µs: the median; null without an output. */
  get latencyMicros() {
    return this.#audio.running ? this.#outputClock.latencyMicros : null;
  }

  /** The output clock's part of the error bound, in µs; null while unknown. */
  get errorMicros() {
    return this.#audio.running ? this.#outputClock.errorMicros : null;
  }

  get worstAheadMicros() {
    return this.#audio.running ? this.#outputClock.worstAheadMicros : null;
  }

  /** Starts the cues that do not sound yet, and ends the voices that have no cue. */
  refresh() {
    for (const [seq, { voice }] of this.#voices) {
      if (!this.#cues.has(seq)) {
        this.#audio.end(voice, 0);
        this.#voices.delete(seq);
      }
    }
    const estimate = this.#clock.estimate();
    if (!estimate || !this.#audio.running || !this.#outputClock.ready) return;
    for (const cue of this.#cues) this.#start(cue, estimate);
  }

  /** Ends the voice of `cue` at its `stopAt`. */
  stop({ trigger, stopAt }) {
    const sounding = this.#voices.get(trigger.seq);
    const estimate = this.#clock.estimate();
    if (sounding && estimate) this.#audio.end(sounding.voice, this.#contextAt(stopAt, estimate));
  }

  /** Keeps sounding voices in step with relay time; to be called after every reading of the output. */
  steer() {
    const estimate = this.#clock.estimate();
    if (!estimate || !this.#audio.running || !this.#outputClock.settled) return;
    const at = changeTime(this.#audio.mixSeconds, this.#audio.sampleRate);
    const relayMicros = this.#relayAt(at, estimate);
    const drift = (this.#relayAt(at + 1, estimate) - relayMicros) / 1e6 - 1;
    for (const [seq, { voice, buffer, servo }] of this.#voices) {
      const cue = this.#cues.get(seq);
      if (!cue || relayMicros >= (cue.stopAt ?? Infinity)) continue;
      const elapsedSeconds = (relayMicros - cue.trigger.play_at) / 1e6;
      const { jump, speed } = servo.steer(at, elapsedSeconds * cue.trigger.rate, drift);
      if (jump) this.#jump(cue, voice, buffer, at, elapsedSeconds);
      else if (speed !== null) this.#audio.setSpeed(voice, speed, at);
    }
  }

  /** Replaces the voice of a cue by one at the right position, at context time `at`, with a crossfade. */
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
    this.#startVoice(trigger, buffer, placement);
    if (stopAt !== undefined) this.stop({ trigger, stopAt });
  }

  #start({ trigger, stopAt }, estimate) {
    const { seq } = trigger;
    if (this.#started.has(seq)) return;
    const buffer = this.#bank.request(trigger.sound);
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
    const voice = this.#startVoice(trigger, buffer, placement);
    if (stopSeconds < Infinity) this.#audio.end(voice, stopSeconds);
    this.#count(placement.lateSeconds);
    this.#on.started(trigger, estimate.localAt(trigger.play_at) + this.latenessMicros);
  }

  #startVoice(trigger, buffer, placement) {
    const { seq } = trigger;
    const voice = this.#audio.start(buffer, placement, trigger, () => {
      // After a jump, another voice has the number.
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

  /** The context time that is heard on this device at a relay time. */
  #contextAt(relayMicros, estimate) {
    return this.#outputClock.contextAt(estimate.localAt(relayMicros) - this.extraLatencyMicros);
  }

  /** The relay time at which a context time is heard on this device: the inverse. */
  #relayAt(contextSeconds, estimate) {
    return estimate.relayAt(this.#outputClock.localAt(contextSeconds) + this.extraLatencyMicros);
  }

  /** Forgets the numbers of cues that are gone. */
  prune() {
    for (const seq of this.#started) if (!this.#cues.has(seq)) this.#started.delete(seq);
  }
}
