// The audio context and its voices: starts and ends sources at exact context times, sets the volume,
// measures the level, and takes the readings for the output clock.
//
// Knows context time only, never relay time. On a plain http address on a LAN there is no AudioWorklet
// (no secure context), so each voice is a buffer source, which the browser starts sample-accurately.

import { panGains } from './pan.js';
import { QUANTUM_FRAMES } from './placement.js';

/** Maximum number of voices; a phone stutters when it mixes more. The oldest voice is ended first. */
const MAX_VOICES = 64;

/** Fade of a sound that starts or ends in its middle, in seconds, against clicks. */
const FADE_SECONDS = 0.005;

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

/**
 * @typedef {object} Voice A sounding instance.
 * @property {AudioBufferSourceNode} source
 * @property {GainNode} envelope
 * @property {number} level the gain of the envelope between its fades
 * @property {number} from context time of its start
 */

export class AudioOutput {
  #context;
  #volume;
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
    const scale = this.#context.createGain();
    scale.gain.value = 1 / MAX_SUM;
    const limiter = this.#context.createWaveShaper();
    limiter.curve = limiterCurve();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 2048;
    this.#waveform = new Float32Array(this.#analyser.fftSize);
    this.#volume
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
   * Starts a voice.
   *
   * @param {AudioBuffer} buffer
   * @param {import('./placement.js').Placement} placement
   * @param {{gain: number, rate: number, pan: number}} parameters
   * @param {() => void} ended called once it has ended
   * @returns {Voice}
   */
  start(buffer, { when, offset }, { gain, rate, pan }, ended) {
    const context = this.#context;
    if (this.#voices.size >= MAX_VOICES) {
      const [oldest] = this.#voices;
      this.end(oldest, context.currentTime);
      this.#voices.delete(oldest);
    }
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.playbackRate.value = rate;
    const envelope = context.createGain();
    envelope.gain.value = gain;
    if (offset > 0) {
      envelope.gain.setValueAtTime(0, when);
      envelope.gain.linearRampToValueAtTime(gain, when + FADE_SECONDS);
    }
    source.connect(envelope);
    const last = pan === 0 ? envelope : this.#panned(envelope, buffer.numberOfChannels, pan);
    last.connect(this.#volume);
    const voice = { source, envelope, level: gain, from: when };
    this.#voices.add(voice);
    source.onended = () => {
      last.disconnect();
      this.#voices.delete(voice);
      ended();
    };
    source.start(when, offset);
    return voice;
  }

  /** Appends a panner to `node`; returns its output. */
  #panned(node, channels, pan) {
    const context = this.#context;
    const splitter = context.createChannelSplitter(2);
    const merger = context.createChannelMerger(2);
    node.connect(splitter);
    panGains(channels, pan).forEach((level, side) => {
      const gain = context.createGain();
      gain.gain.value = level;
      splitter.connect(gain, Math.min(side, channels - 1)).connect(merger, 0, side);
    });
    return merger;
  }

  /** Sets the speed of `voice` from context time `at` on, the start of a render quantum. */
  setSpeed(voice, speed, at) {
    // Half a frame early, so that rounding does not defer it to the next quantum.
    const early = at - 0.5 / this.#context.sampleRate;
    voice.source.playbackRate.setValueAtTime(speed, early);
  }

  /** Ends `voice` at context time `at`, or now if that is past. No effect on a voice that has ended. */
  end(voice, at) {
    const { source, envelope, level, from } = voice;
    const silentFrom = Math.max(at, this.#context.currentTime);
    const gain = envelope.gain;
    if (silentFrom <= from) {
      source.stop(from);
      gain.cancelScheduledValues(0);
      gain.value = 0;
      return;
    }
    gain.cancelScheduledValues(silentFrom);
    gain.setValueAtTime(level, silentFrom);
    gain.linearRampToValueAtTime(0, silentFrom + FADE_SECONDS);
    source.stop(silentFrom + FADE_SECONDS);
  }

  /** The peak level of the last 40 ms or so, 0 to 1. */
  peak() {
    this.#analyser.getFloatTimeDomainData(this.#waveform);
    let peak = 0;
    for (const value of this.#waveform) peak = Math.max(peak, Math.abs(value));
    return peak;
  }
}
