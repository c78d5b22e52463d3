// The audio context and its voices: starts and ends voices, sets the volume, measures the level, and takes
// the readings for the output clock. A voice itself is in voice.js.
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

export class AudioOutput {
  #context;
  #volume;
  /** What the variables make of the volume. */
  #boundVolume;
  #analyser;
  #waveform;
  /** In the order of their starts. @type {Set<Voice>} */
  #voices = new Set();

  /** Called when the state of the context has changed. */
  onStateChange = () => {};

  /** @throws if the browser does not support Web Audio */
  constructor() {
    const Context = globalThis.AudioContext ?? globalThis.webkitAudioContext;
    if (!Context) throw new Error('This browser does not support Web Audio.');
    this.#context = new Context({ latencyHint: 'interactive' });
    this.#context.onstatechange = () => this.onStateChange();
    this.#volume = this.#context.createGain();
    const bound = this.#context.createGain();
    this.#boundVolume = new ParamLine(bound.gain, level(1), 0);
    const scale = this.#context.createGain();
    scale.gain.value = 1 / MAX_SUM;
    const limiter = this.#context.createWaveShaper();
    limiter.curve = limiterCurve();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 2048;
    this.#waveform = new Float32Array(this.#analyser.fftSize);
    this.#volume
      .connect(bound)
      .connect(scale)
      .connect(limiter)
      .connect(this.#analyser)
      .connect(this.#context.destination);
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

  /** @param {Float32Array[]} channels at this context's rate @returns {AudioBuffer} */
  createBuffer(channels) {
    const buffer = this.#context.createBuffer(channels.length, channels[0].length, this.sampleRate);
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

  /** @param {number} volume position of the fader, 0 to 1: its square is the gain */
  setVolume(volume) {
    this.#volume.gain.setTargetAtTime(volume ** 2, this.#context.currentTime, VOLUME_SECONDS / 3);
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
    this.#analyser.getFloatTimeDomainData(this.#waveform);
    let peak = 0;
    for (const value of this.#waveform) peak = Math.max(peak, Math.abs(value));
    return peak;
  }
}
