// Turns cues into voices that sound at their instants and follow the variables, and counts them for the
// reports.
//
// A cue may come before the clock is known, its sound loaded or the audio started: `refresh` is called
// whenever one of these becomes ready, and joins what should be sounding in the middle. Draws nothing
// and sends nothing.

import { OutputClock } from '../audio/output-clock.js';
import { earliestStart, place } from '../audio/placement.js';
import { Servo, changeTime } from '../audio/servo.js';
import { level, mapTimes, splice } from '../automation/line.js';
import { TONE } from '../protocol/fields.js';
import { linesOf, onQuanta, withTrigger } from './cue-lines.js';

/** A start that is late by less than this is on time: the resolution of the clocks. */
const ON_TIME_MICROS = 500;

/** How long before its start a voice is created, in seconds: until then the clocks become more exact, and
 * what has not begun takes no voice from what sounds. */
const HORIZON_SECONDS = 1;

/** A position that is over by less than this is not joined, in seconds. */
const TAIL_SECONDS = 0.01;

/**
 * @typedef {object} Sounding
 * @property {import('../audio/voice.js').Voice} voice
 * @property {Servo} servo
 * @property {object} lines the lines over relay time that it follows
 */

export class VoiceScheduler {
  #cues;
  #bindings;
  #clock;
  #bank;
  #audio;
  #on;
  #outputClock = new OutputClock();
  /** Voices that sound or are scheduled, by the sequence number of their trigger.
   * @type {Map<number, Sounding>} */
  #voices = new Map();
  /** Cues that were started and must not be started again, although they may have ended. */
  #started = new Set();
  /** Cues that are counted; after a restart of the output they start again. */
  #counted = new Set();
  /** The volume over relay time that the output follows. */
  #volume = level(1);

  /** Triggers sounded since the hello, how many of them were late, and the lateness of the last one. */
  triggers = 0;
  late = 0;
  latenessMicros = null;

  /** Latency that the output does not report, in µs: everything is started this much earlier. */
  extraLatencyMicros = 0;

  /**
   * @param {import('../state/cues.js').Cues} cues
   * @param {import('../state/bindings.js').Bindings} bindings
   * @param {import('../clock/estimator.js').ClockEstimator} clock
   * @param {import('../bank/sound-bank.js').SoundBank} bank
   * @param {import('../audio/audio-output.js').AudioOutput} audio
   * @param {object} on
   * @param {(trigger: object, heardAtMicros: number, latenessMicros: number) => void} on.started A voice was
   *   started and will be heard at that local time.
   * @param {(trigger: object) => void} on.missed The sound was over before it could start.
   * @param {(trigger: object) => void} on.stolen The voice was ended because there were too many.
   */
  constructor(cues, bindings, clock, bank, audio, on) {
    this.#cues = cues;
    this.#bindings = bindings;
    this.#clock = clock;
    this.#bank = bank;
    this.#audio = audio;
    this.#on = on;
  }

  /** A new epoch of the relay: ends and forgets all voices. */
  reset() {
    for (const { voice } of this.#voices.values()) voice.end(0);
    this.#voices.clear();
    this.#started.clear();
    this.#counted.clear();
  }

  /** The output is opened anew: what should sound starts again, in the middle, once that is ready. */
  restart() {
    for (const { voice } of this.#voices.values()) voice.end(0);
    this.#voices.clear();
    this.#started.clear();
    this.#volume = null;
    this.#outputClock.reset();
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

  /** Whether the voice of a trigger sounds or is about to. */
  has(seq) {
    return this.#voices.has(seq);
  }

  /** Starts the cues that do not sound yet, and ends the voices that have no cue. */
  refresh() {
    for (const [seq, { voice }] of this.#voices) {
      if (!this.#cues.has(seq)) {
        voice.end(0);
        this.#voices.delete(seq);
      }
    }
    const estimate = this.#ready();
    if (!estimate) return;
    this.#followVolume(estimate);
    for (const cue of this.#cues) this.#start(cue, estimate);
  }

  /** Ends the voice of a cue at its `stopAt`. */
  stop({ trigger, stopAt }) {
    const sounding = this.#voices.get(trigger.seq);
    const estimate = this.#clock.estimate();
    if (sounding && estimate) sounding.voice.end(this.#contextAt(stopAt, estimate));
  }

  /** Values of variables have changed or been scheduled: what they drive follows. */
  followVariables() {
    const estimate = this.#ready();
    if (!estimate) return;
    this.#followVolume(estimate);
    for (const [seq, sounding] of this.#voices) {
      const cue = this.#cues.get(seq);
      if (cue) this.#follow(cue, sounding, estimate, false);
    }
  }

  /**
   * Keeps sounding voices in step with relay time, and starts those that are due soon; to be called after
   * every reading of the output.
   */
  steer() {
    const estimate = this.#ready();
    if (!estimate) return;
    for (const cue of this.#cues) this.#start(cue, estimate);
    if (!this.#outputClock.settled) return;
    const at = changeTime(this.#audio.mixSeconds, this.#audio.sampleRate);
    const relayMicros = this.#relayAt(at, estimate);
    const drift = (this.#relayAt(at + 1, estimate) - relayMicros) / 1e6 - 1;
    for (const [seq, sounding] of this.#voices) {
      const cue = this.#cues.get(seq);
      if (!cue || relayMicros >= (cue.stopAt ?? Infinity)) continue;
      const { jump, speed } = sounding.servo.steer(at, cue.positionAt(relayMicros), drift);
      if (jump) this.#jump(cue, sounding.voice, at, estimate);
      else if (speed !== null) sounding.voice.setSpeed(speed, at);
      // What is still to come is scheduled by the latest estimate.
      if (!jump) this.#follow(cue, sounding, estimate, true);
    }
  }

  /** The clock's estimate once voices can be started; else null. */
  #ready() {
    const estimate = this.#clock.estimate();
    return estimate && this.#audio.running && this.#outputClock.ready ? estimate : null;
  }

  #followVolume(estimate) {
    const volume = this.#bindings.volume();
    if (volume === this.#volume) return;
    this.#volume = volume;
    this.#audio.followVolume(this.#inContext(volume, estimate), this.#earliest);
  }

  /**
   * A voice follows the lines of its cue.
   * @param {boolean} isAgain whether lines that are known are scheduled again as far as they are ahead
   */
  #follow(cue, sounding, estimate, isAgain) {
    const from = this.#earliest;
    const lines = linesOf(cue);
    const changed = {};
    for (const [name, line] of Object.entries(lines)) {
      const isAhead = () => line.some((segment) => this.#contextAt(segment.from, estimate) > from);
      if (line === sounding.lines[name] && !(isAgain && line.length > 1 && isAhead())) continue;
      changed[name] = this.#inContext(withTrigger(name, line, cue.trigger), estimate);
    }
    sounding.lines = lines;
    if (changed.bend) {
      if (!cue.tone) changed.bend = onQuanta(changed.bend, this.#audio.sampleRate);
      sounding.servo.bend(splice(sounding.voice.bend, changed.bend, from), from);
    }
    sounding.voice.follow(changed, from);
  }

  /** Replaces the voice of a cue by one at the right position, at context time `at`, with a crossfade. */
  #jump(cue, voice, at, estimate) {
    voice.end(at);
    this.#voices.delete(cue.trigger.seq);
    const placement = place(this.#dueOf(cue, estimate), at);
    if (!placement) return;
    this.#startVoice(cue, placement, estimate);
    if (cue.stopAt !== undefined) this.stop(cue);
  }

  #start(cue, estimate) {
    const { seq } = cue.trigger;
    if (this.#started.has(seq)) return;
    const earliest = this.#earliest;
    if (cue.isCancelled) {
      this.#started.add(seq);
      return;
    }
    if (this.#contextAt(cue.startsAt, estimate) > earliest + HORIZON_SECONDS) return;
    if (!this.#contentOf(cue)) return;
    if (cue.startsOnArrival && this.#relayAt(earliest, estimate) < cue.startsAt + 1e6) {
      // It is as early as this machine can.
      cue.startAt(this.#relayAt(earliest, estimate));
    }
    const due = this.#dueOf(cue, estimate);
    const stopSeconds = cue.stopAt === undefined ? Infinity : this.#contextAt(cue.stopAt, estimate);
    const placement = place(due, earliest);
    this.#started.add(seq);
    if (!placement || placement.when >= stopSeconds) {
      if (this.#count(cue, earliest - due.startSeconds)) this.#on.missed(cue.trigger);
      return;
    }
    const { voice } = this.#startVoice(cue, placement, estimate);
    if (stopSeconds < Infinity) voice.end(stopSeconds);
    if (!this.#count(cue, placement.lateSeconds)) return;
    const heardAt = estimate.localAt(cue.startsAt) + placement.lateSeconds * 1e6;
    this.#on.started(cue.trigger, heardAt, this.latenessMicros > ON_TIME_MICROS ? this.latenessMicros : 0);
  }

  /** Why a trigger that is due does not sound here; null if it was stopped. */
  whyNot({ seq, sound }) {
    const cue = this.#cues.get(seq);
    if (cue?.isCancelled || this.#cues.isSilenced(seq)) return null;
    if (!this.#audio.running || !this.#outputClock.ready) return 'no_output';
    if (!this.#clock.estimate()) return 'no_clock';
    return sound === TONE || this.#bank.isReady(sound) ? null : 'not_ready';
  }

  /** What the cue plays; undefined if it is not loaded. @returns {object | undefined} */
  #contentOf({ trigger, tone, loop }) {
    if (tone) return tone;
    const buffer = this.#bank.request(trigger.sound);
    return buffer && { buffer, loop };
  }

  /** Where a cue is due, in context time. */
  #dueOf(cue, estimate) {
    return {
      startSeconds: this.#contextAt(cue.startsAt, estimate),
      positionAt: (seconds) => cue.positionAt(this.#relayAt(seconds, estimate)),
      isOver: (seconds) => cue.isOver(this.#relayAt(seconds + TAIL_SECONDS, estimate)),
    };
  }

  #startVoice(cue, placement, estimate) {
    const { seq } = cue.trigger;
    const lines = linesOf(cue);
    const inContext = (name) => this.#inContext(withTrigger(name, lines[name], cue.trigger), estimate);
    const bend = cue.tone ? inContext('bend') : onQuanta(inContext('bend'), this.#audio.sampleRate);
    const parameters = { speed: cue.speed, bend, gain: inContext('gain'), pan: inContext('pan') };
    let content = this.#contentOf(cue);
    if (cue.tone) {
      const { shape, duration_micros: duration } = cue.tone;
      const startSeconds = placement.when - placement.lateSeconds;
      content = { shape, startSeconds, lengthSeconds: duration / 1e6 };
    }
    const voice = this.#audio.start(content, placement, parameters, (wasStolen) => {
      if (wasStolen) this.#on.stolen(cue.trigger);
      // After a jump, another voice has the number.
      if (this.#voices.get(seq)?.voice === voice) this.#voices.delete(seq);
    });
    const sounding = { voice, servo: new Servo(placement, cue.speed, bend), lines };
    this.#voices.set(seq, sounding);
    return sounding;
  }

  /** Counts a cue, once. @returns {boolean} whether it is counted now */
  #count({ trigger }, lateSeconds) {
    if (this.#counted.has(trigger.seq)) return false;
    this.#counted.add(trigger.seq);
    this.triggers += 1;
    // What plays on arrival is never late.
    this.latenessMicros = trigger.on_arrival ? 0 : Math.max(0, Math.round(lateSeconds * 1e6));
    if (this.latenessMicros > ON_TIME_MICROS) this.late += 1;
    return true;
  }

  /** The first context time that can still be changed. */
  get #earliest() {
    return earliestStart(this.#audio.mixSeconds, this.#audio.sampleRate);
  }

  #inContext(line, estimate) {
    return mapTimes(line, (relayMicros) => this.#contextAt(relayMicros, estimate));
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
    for (const seqs of [this.#started, this.#counted]) {
      for (const seq of seqs) if (!this.#cues.has(seq)) seqs.delete(seq);
    }
  }
}
