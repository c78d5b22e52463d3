// The audio context and what sounds in it: sources started and ended at exact context times, the
// volume, the level, and the readings from which the output clock is made.
//
// Knows context time only, never relay time. At a plain http address on a LAN there is no
// AudioWorklet, so every voice is a buffer source that the browser itself starts on the sample.

import { Decoder } from '../bank/decoder.js';
import { panGains } from './pan.js';
import { QUANTUM_FRAMES } from './output-clock.js';

/** Most voices at once; a phone that mixes more begins to stutter. The oldest gives way. */
const MOST_VOICES = 64;

/** A sound that is joined in the middle, or ended there, is faded for so long: no click. */
const FADE_SECONDS = 0.005;

/** Time in which the volume follows the hand. */
const VOLUME_SECONDS = 0.015;

/** Below this the sum of all voices passes untouched; above it is bent, to end at full scale. */
const KNEE = 0.8;

/** Sums up to this are bent smoothly; beyond it they are held at full scale. */
const MOST_SUM = 8;

/**
 * The soft ceiling as a transfer curve over sums from -MOST_SUM to MOST_SUM. A compressor node
 * would do it more finely, but it delays the sound by some milliseconds, and not everywhere alike.
 */
function ceilingCurve() {
  const points = 8193;
  const room = 1 - KNEE;
  return Float32Array.from({ length: points }, (_, at) => {
    const sum = MOST_SUM * ((2 * at) / (points - 1) - 1);
    const level = Math.abs(sum);
    const bent = level <= KNEE ? level : KNEE + room * Math.tanh((level - KNEE) / room);
    return Math.sign(sum) * bent;
  });
}

/**
 * @typedef {object} Voice A sounding instance.
 * @property {AudioBufferSourceNode} source
 * @property {GainNode} envelope
 * @property {number} level what the envelope stands at between its fades
 * @property {number} from context time at which it begins
 */

export class AudioOutput {
  #context;
  #volume;
  #analyser;
  #waveform;
  #decoder = new Decoder();
  #on;
  /** In the order in which they were started. @type {Set<Voice>} */
  #voices = new Set();

  /**
   * @param {object} on
   * @param {() => void} on.state The context runs, or runs no more.
   * @throws if the browser has no Web Audio
   */
  constructor(on) {
    const Context = globalThis.AudioContext ?? globalThis.webkitAudioContext;
    if (!Context) throw new Error('This browser cannot play sounds (it has no Web Audio).');
    this.#on = on;
    this.#context = new Context({ latencyHint: 'interactive' });
    this.#context.onstatechange = () => this.#on.state();
    this.#volume = this.#context.createGain();
    const intoCurve = this.#context.createGain();
    intoCurve.gain.value = 1 / MOST_SUM;
    const ceiling = this.#context.createWaveShaper();
    ceiling.curve = ceilingCurve();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 2048;
    this.#waveform = new Float32Array(this.#analyser.fftSize);
    this.#volume
      .connect(intoCurve)
      .connect(ceiling)
      .connect(this.#analyser)
      .connect(this.#context.destination);
  }

  /** Whether sound can be heard now. */
  get running() {
    return this.#context.state === 'running';
  }

  /** Whether the system took the sound away, as a phone does for a call. */
  get interrupted() {
    return this.#context.state === 'interrupted';
  }

  get mixSeconds() {
    return this.#context.currentTime;
  }

  get sampleRate() {
    return this.#context.sampleRate;
  }

  /** How often the device ran dry since the context was made; null where the browser does not tell. */
  get xruns() {
    return this.#context.playbackStats?.underrunEvents ?? null;
  }

  /** One render quantum, in µs. */
  get quantumMicros() {
    return (QUANTUM_FRAMES / this.#context.sampleRate) * 1e6;
  }

  /** Begins to sound, or does so again. Must be called from a person's gesture the first time. */
  async resume() {
    // Without it the mute switch of an iPhone silences everything but ringing.
    if (navigator.audioSession) navigator.audioSession.type = 'playback';
    await this.#context.resume();
  }

  /** @param {ArrayBuffer} file of a sound @returns {Promise<AudioBuffer>} at this context's rate */
  async decode(file) {
    const channels = await this.#decoder.decode(file, this.sampleRate);
    const buffer = this.#context.createBuffer(channels.length, channels[0].length, this.sampleRate);
    channels.forEach((values, at) => buffer.copyToChannel(values, at));
    return buffer;
  }

  /** @returns {import('./output-clock.js').Reading} */
  read() {
    const context = this.#context;
    const heard = context.getOutputTimestamp?.();
    return {
      nowMicros: performance.now() * 1000,
      mixSeconds: context.currentTime,
      heardSeconds: heard?.contextTime,
      heardAtMicros: heard && heard.performanceTime * 1000,
      latencySeconds: context.outputLatency || context.baseLatency || 0,
    };
  }

  /** @param {number} volume 0 to 1, as a hand sets it: its square is the gain. */
  setVolume(volume) {
    this.#volume.gain.setTargetAtTime(volume ** 2, this.#context.currentTime, VOLUME_SECONDS / 3);
  }

  /**
   * Starts a voice.
   *
   * @param {AudioBuffer} buffer
   * @param {import('./output-clock.js').Placement} placement
   * @param {{gain: number, rate: number, pan: number}} how
   * @param {() => void} ended called once it has fallen silent
   * @returns {Voice}
   */
  start(buffer, { when, offset }, { gain, rate, pan }, ended) {
    const context = this.#context;
    if (this.#voices.size >= MOST_VOICES) {
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

  /** The end of a chain that pans what comes from `node`. */
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

  /** Gives `voice` another speed from context time `at` on, which is the start of a quantum. */
  setSpeed(voice, speed, at) {
    // Half a frame early, so that no rounding makes it wait for the next quantum.
    const early = at - 0.5 / this.#context.sampleRate;
    voice.source.playbackRate.setValueAtTime(speed, early);
  }

  /** Ends `voice` at context time `at`, or now if that is past. One that has ended stays ended. */
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

  /** The highest level of the last 40 ms or so, 0 to 1. */
  peak() {
    this.#analyser.getFloatTimeDomainData(this.#waveform);
    let peak = 0;
    for (const value of this.#waveform) peak = Math.max(peak, Math.abs(value));
    return peak;
  }
}
