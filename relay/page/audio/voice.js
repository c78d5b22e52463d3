// One voice: the source of a sound or a tone, and the nodes behind it, each of which follows a line.
//
// Knows context time only. Starts and ends at exact context times, without clicks.

import { combine, isLevel, level } from '../automation/line.js';
import { panGains } from './pan.js';
import { ParamLine } from './param-line.js';
import { QUANTUM_FRAMES } from './placement.js';
import { envelopeOf, waveOf } from './tone.js';

/** Fade of a voice that starts or ends in its middle, in seconds, against clicks. */
const FADE_SECONDS = 0.005;

/**
 * @typedef {{buffer: AudioBuffer, loop?: {start: number, end: number}}} Sound in seconds of the sound
 * @typedef {{shape: string, startSeconds: number, lengthSeconds: number}} Tone in context time
 * @typedef {Sound | Tone} Content what a voice plays
 *
 * @typedef {object} Parameters
 * @property {number} speed factor on the speed of a sound, or frequency of a tone in Hz
 * @property {import('../automation/line.js').Line} bend transposition, in cents
 * @property {import('../automation/line.js').Line} gain
 * @property {import('../automation/line.js').Line} pan from left, -1, to right, 1
 */

const product = (...values) => values.reduce((all, value) => all * value, 1);
const oneMoves = (moving) => moving === 1;
const never = () => false;

/** Waves of tones that begin at their start, by context and shape. @type {WeakMap<object, Map>} */
const waves = new WeakMap();

/** The wave of a shape from a phase on, in cycles. */
function periodicWave(context, shape, phase) {
  const create = () => {
    const { real, imag } = waveOf(shape, phase);
    return context.createPeriodicWave(real, imag, { disableNormalization: true });
  };
  if (phase !== 0) return create();
  if (!waves.has(context)) waves.set(context, new Map());
  const known = waves.get(context);
  if (!known.has(shape)) known.set(shape, create());
  return known.get(shape);
}

/** A line that moves from one value to another between two times. */
function fade(from, start, end) {
  const to = from + FADE_SECONDS;
  return [
    { from: -Infinity, to: from, start, end: start },
    { from, to, start, end },
    { from: to, to: Infinity, start: end, end },
  ];
}

export class Voice {
  #context;
  #source;
  /** The parameter that is the speed. @type {AudioParam} */
  #speed;
  #from;
  #channels;
  #bend;
  #envelope;
  #gain;
  /** The last node before the panner, if there is one. */
  #unpanned;
  /** Left and right. @type {ParamLine[] | null} */
  #pan = null;
  #last;
  #output;

  /** Whether it was ended because there were too many. */
  isStolen = false;

  /**
   * @param {AudioContext} context
   * @param {AudioNode} output
   * @param {Content} content
   * @param {import('./placement.js').Placement} placement
   * @param {Parameters} parameters
   * @param {() => void} ended called once it has ended
   */
  constructor(context, output, content, { when, offset }, { speed, bend, gain, pan }, ended) {
    this.#context = context;
    this.#output = output;
    this.#from = when;
    const quantum = QUANTUM_FRAMES / context.sampleRate;
    // The first values hold before the first frame.
    const before = Math.max(0, when - quantum);
    const isTone = 'shape' in content;
    this.#channels = isTone ? 1 : content.buffer.numberOfChannels;
    this.#source = isTone ? this.#oscillator(content, offset) : this.#bufferSource(content);
    this.#speed = isTone ? this.#source.frequency : this.#source.playbackRate;
    this.#speed.value = speed;
    // A buffer source reads its parameters once per quantum.
    this.#bend = new ParamLine(this.#source.detune, bend, before, isTone ? 0 : quantum / 2);

    const envelope = context.createGain();
    const joined = offset > 0 ? fade(when, 0, 1) : level(1);
    const shape = isTone ? envelopeOf(content.startSeconds, content.lengthSeconds) : level(1);
    this.#envelope = new ParamLine(envelope.gain, combine([shape, joined], product, oneMoves), before);
    const volume = context.createGain();
    this.#gain = new ParamLine(volume.gain, gain, before);
    this.#unpanned = this.#source.connect(envelope).connect(volume);
    this.#last = this.#unpanned;
    this.#last.connect(output);
    if (!isLevel(pan) || pan[0].start !== 0) this.follow({ pan }, before);

    this.#source.onended = () => {
      this.#last.disconnect();
      ended();
    };
    if (isTone) {
      this.#source.start(when);
      this.#source.stop(content.startSeconds + content.lengthSeconds);
    } else {
      this.#source.start(when, wrapped(offset, content.loop));
    }
  }

  /**
   * Follows other lines from a context time on; those that are not given stay.
   * @param {Partial<Parameters>} lines
   */
  follow({ bend, gain, pan }, from) {
    if (bend) this.#bend.change(bend, from);
    if (gain) this.#gain.change(gain, from);
    if (!pan) return;
    this.#pan ??= this.#createPanner();
    this.#pan.forEach((side, at) => {
      side.change(combine([pan], (value) => panGains(this.#channels, clamp(value))[at], never), from);
    });
  }

  /** The transposition as it is scheduled, in cents. */
  get bend() {
    return this.#bend.line;
  }

  /** Sets the speed from context time `at` on, the start of a render quantum. */
  setSpeed(speed, at) {
    // Half a frame early, so that rounding does not defer it to the next quantum.
    this.#speed.setValueAtTime(speed, at - 0.5 / this.#context.sampleRate);
  }

  /** Ends it at context time `at`, or now if that is past. No effect on a voice that has ended. */
  end(at) {
    const silentFrom = Math.max(at, this.#context.currentTime);
    if (silentFrom <= this.#from) {
      this.#envelope.change(level(0), 0);
      this.#source.stop(this.#from);
      return;
    }
    const line = combine([this.#envelope.line, fade(silentFrom, 1, 0)], product, oneMoves);
    this.#envelope.change(line, silentFrom);
    this.#source.stop(silentFrom + FADE_SECONDS);
  }

  #bufferSource({ buffer, loop }) {
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    if (loop) Object.assign(source, { loop: true, loopStart: loop.start, loopEnd: loop.end });
    return source;
  }

  #oscillator({ shape }, phase) {
    const source = this.#context.createOscillator();
    source.setPeriodicWave(periodicWave(this.#context, shape, phase));
    return source;
  }

  /** Inserts a panner before the output; returns what its sides follow. */
  #createPanner() {
    const context = this.#context;
    const splitter = context.createChannelSplitter(2);
    const merger = context.createChannelMerger(2);
    const sides = [0, 1].map((side) => {
      const gain = context.createGain();
      splitter.connect(gain, Math.min(side, this.#channels - 1)).connect(merger, 0, side);
      return new ParamLine(gain.gain, level(1), 0);
    });
    this.#unpanned.disconnect();
    this.#unpanned.connect(splitter);
    merger.connect(this.#output);
    this.#last = merger;
    return sides;
  }
}

function clamp(pan) {
  return Math.min(1, Math.max(-1, pan));
}

/** The position within the loop, however often it has repeated. */
function wrapped(position, loop) {
  if (!loop || position < loop.end) return position;
  return loop.start + ((position - loop.start) % (loop.end - loop.start));
}
