// The audio context and its voices: opens it, starts and ends voices, sets the volume, measures the level,
// and takes the readings for the output clock. A voice itself is in voice.js.
//
// Knows context time only, never relay time. On a plain http address on a LAN there is no AudioWorklet
// (no secure context), so each voice is a native source, which the browser starts sample-accurately.

import { level } from '../automation/line.js';
import { ParamLine } from './param-line.js';
import { QUANTUM_FRAMES } from './placement.js';
import { Voice } from './voice.js';

/** Maximum number of voices; a phone stutters when it mixes more. The oldest voice is ended first. */
const MAX_VOICES = 64;

/** Ramp of a volume change, in seconds. */
const VOLUME_SECONDS = 0.015;

/** The limiter is linear below this level, and saturates towards full scale above it. */
const KNEE = 0.8;

/** Input range of the limiter's curve; larger sums are clipped to full scale. */
const MAX_SUM = 8;

/**
 * The transfer curve of the soft limiter over sums from -MAX_SUM to MAX_SUM. A DynamicsCompressorNode
 * would sound better, but it delays the sound by some milliseconds that differ between browsers.
 */
function limiterCurve() {
  const points = 8193;
  const headroom = 1 - KNEE;
  return Float32Array.from({ length: points }, (_, at) => {
    const sum = MAX_SUM * ((2 * at) / (points - 1) - 1);
    const level = Math.abs(sum);
    const limited = level <= KNEE ? level : KNEE + headroom * Math.tanh((level - KNEE) / headroom);
    return Math.sign(sum) * limited;
  });
}

/** Samples that the meter looks at, and those of which the reports take the largest: at 48 kHz 43 ms and
 * 171 ms, which is more than the time between two readings. */
const METER_FRAMES = 2048;
const LEVEL_FRAMES = 8192;

export class AudioOutput {
  #Context;
  #context;
  #volume;
  /** What the variables make of the volume. */
  #boundVolume;
  #meter;
  #level;
  #waveform = new Float32Array(METER_FRAMES);
  #levelWaveform = new Float32Array(LEVEL_FRAMES);
  /** The largest level since it was last taken, 0 to 1. */
  #loudest = 0;
  /** Position of the fader. */
  #position = 1;
  #isMuted = false;
  /** In the order of their starts. @type {Set<Voice>} */
  #voices = new Set();

  /** Called when the state of the context has changed. */
  onStateChange = () => {};

  /** @throws if the browser does not support Web Audio */
  constructor() {
    this.#Context = globalThis.AudioContext ?? globalThis.webkitAudioContext;
    if (!this.#Context) throw new Error('This browser does not support Web Audio.');
    this.#open();
  }

  #open() {
    const context = new this.#Context({ latencyHint: 'interactive' });
    context.onstatechange = () => this.onStateChange();
    this.#context = context;
    this.#volume = context.createGain();
    this.#volume.gain.value = this.#amplitude;
    const bound = context.createGain();
    this.#boundVolume = new ParamLine(bound.gain, level(1), 0);
    const scale = context.createGain();
    scale.gain.value = 1 / MAX_SUM;
    const limiter = context.createWaveShaper();
    limiter.curve = limiterCurve();
    this.#meter = context.createAnalyser();
    this.#meter.fftSize = METER_FRAMES;
    this.#level = context.createAnalyser();
    this.#level.fftSize = LEVEL_FRAMES;
    const mix = this.#volume.connect(bound).connect(scale).connect(limiter);
    mix.connect(this.#meter).connect(this.#level).connect(context.destination);
  }

  /** Closes the output and opens it again, without voices, and at the volume of the fader alone. */
  restart() {
    const before = this.#context;
    before.onstatechange = null;
    this.#voices.clear();
    // A context that is closed already cannot be closed.
    before.close().catch(() => {});
    this.#open();
  }

  /** Whether the context is running. */
  get running() {
    return this.#context.state === 'running';
  }

  /** Whether the system interrupted the audio, as a phone does for a call. */
  get interrupted() {
    return this.#context.state === 'interrupted';
  }

  get mixSeconds() {
    return this.#context.currentTime;
  }

  get sampleRate() {
    return this.#context.sampleRate;
  }

  /** Underruns of the device since the context was created; null where the browser does not report them. */
  get xruns() {
    return this.#context.playbackStats?.underrunEvents ?? null;
  }

  /** One render quantum, in µs. */
  get quantumMicros() {
    return (QUANTUM_FRAMES / this.#context.sampleRate) * 1e6;
  }

  /** Starts or resumes the context. The first call must come from a user gesture. */
  async resume() {
    // Otherwise the mute switch of an iPhone silences Web Audio.
    if (navigator.audioSession) navigator.audioSession.type = 'playback';
    await this.#context.resume();
  }

  /** @param {Float32Array[]} channels @param {number} rate in Hz @returns {AudioBuffer} */
  createBuffer(channels, rate) {
    const buffer = this.#context.createBuffer(channels.length, channels[0].length, rate);
    channels.forEach((values, at) => buffer.copyToChannel(values, at));
    return buffer;
  }

  /** @returns {import('./output-clock.js').Reading} */
  read() {
    const context = this.#context;
    const output = context.getOutputTimestamp?.();
    return {
      nowMicros: performance.now() * 1000,
      mixSeconds: context.currentTime,
      heardSeconds: output?.contextTime,
      heardAtMicros: output && output.performanceTime * 1000,
      latencySeconds: context.outputLatency || context.baseLatency || 0,
    };
  }

  /** @param {number} position of the fader, 0 to 1: its square is the amplitude */
  setVolume(position) {
    this.#position = position;
    this.#followFader();
  }

  setMuted(isMuted) {
    this.#isMuted = isMuted;
    this.#followFader();
  }

  /** Whether nothing is heard, because a person wants it so. */
  get isSilent() {
    return this.#isMuted || this.#position === 0;
  }

  get #amplitude() {
    return this.#isMuted ? 0 : this.#position ** 2;
  }

  #followFader() {
    this.#volume.gain.setTargetAtTime(this.#amplitude, this.#context.currentTime, VOLUME_SECONDS / 3);
  }

  /**
   * The variables change the volume.
   * @param {import('../automation/line.js').Line} line
   * @param {number} from context time
   */
  followVolume(line, from) {
    this.#boundVolume.change(line, from);
  }

  /**
   * Starts a voice.
   *
   * @param {import('./voice.js').Content} content
   * @param {import('./placement.js').Placement} placement
   * @param {import('./voice.js').Parameters} parameters
   * @param {(wasStolen: boolean) => void} ended called once it has ended
   * @returns {Voice}
   */
  start(content, placement, parameters, ended) {
    if (this.#voices.size >= MAX_VOICES) this.#steal();
    const voice = new Voice(this.#context, this.#volume, content, placement, parameters, () => {
      this.#voices.delete(voice);
      ended(voice.isStolen);
    });
    this.#voices.add(voice);
    return voice;
  }

  /** Ends the oldest voice: there are too many. */
  #steal() {
    const [oldest] = this.#voices;
    oldest.isStolen = true;
    oldest.end(this.#context.currentTime);
    this.#voices.delete(oldest);
  }

  /** The peak level of the last 40 ms or so, 0 to 1. */
  peak() {
    return peakOf(this.#meter, this.#waveform);
  }

  /** Keeps the largest level; to be called with each reading. */
  holdLevel() {
    if (this.#voices.size === 0 && this.#loudest === 0) return;
    this.#loudest = Math.max(this.#loudest, peakOf(this.#level, this.#levelWaveform));
  }

  /** The largest level since the last call, 0 to 1. */
  takeLevel() {
    const loudest = this.#loudest;
    this.#loudest = 0;
    return loudest;
  }
}

function peakOf(analyser, waveform) {
  analyser.getFloatTimeDomainData(waveform);
  let peak = 0;
  for (const value of waveform) peak = Math.max(peak, Math.abs(value));
  return peak;
}
