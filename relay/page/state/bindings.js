// What the variables drive: for each sound its gain, transposition and pan, and the volume of the machine,
// as lines over relay time in µs.
//
// Pure state. Several variables that drive one parameter combine: gains, transpositions and frequencies
// multiply, pans add.

import { combine, level } from '../automation/line.js';

/** The frequency of a tone that names none, if no variable is bound to it, in Hz. */
export const DEFAULT_FREQUENCY = 440;

/** This level and less is silence, in dB. */
const SILENCE_DB = -60;

/** A level or a pan that changes at once gets there within this time, in µs, so that it does not click. */
const MIN_GLIDE_MICROS = 2000;

export function amplitudeOf(decibels) {
  return decibels <= SILENCE_DB ? 0 : 10 ** (decibels / 20);
}

const octavesToCents = (ratio) => 1200 * Math.log2(ratio);
const product = (...values) => values.reduce((all, value) => all * value, 1);
const sum = (...values) => values.reduce((all, value) => all + value, 0);
/** A product is straight where one factor moves. */
const oneMoves = (moving) => moving === 1;
const always = () => true;

/** What drives nothing. */
const NEUTRAL = {
  gain_db: level(1),
  semitones: level(0),
  pan: level(0),
  volume_db: level(1),
  frequency: level(0),
};

export class Bindings {
  #variables;
  /** By what is driven: the names of the variables that drive it, the state of these, and the line. A line
   * is the same object until one of its variables has changed. */
  #driven = new Map();
  #revision = -1;

  /** @param {import('./variables.js').Variables} variables */
  constructor(variables) {
    this.#variables = variables;
  }

  /** The factor on the level of a sound's voices. */
  gain(sound) {
    return this.#line('gain_db', sound, (names) => {
      const lines = names.map((name) => this.#variables.lineOf(name, amplitudeOf, MIN_GLIDE_MICROS));
      return combine(lines, product, oneMoves);
    });
  }

  /** The transposition of a sound's voices, in cents. */
  cents(sound) {
    return this.#line('semitones', sound, (names) => {
      const lines = names.map((name) => this.#variables.lineOf(name, (semitones) => semitones * 100));
      return combine(lines, sum, always);
    });
  }

  /** What is added to the pan of a sound's voices. */
  pan(sound) {
    return this.#line('pan', sound, (names) => {
      const lines = names.map((name) => this.#variables.lineOf(name, (pan) => pan, MIN_GLIDE_MICROS));
      return combine(lines, sum, always);
    });
  }

  /** The factor on the volume of this machine. */
  volume() {
    return this.#line('volume_db', undefined, (names) => {
      const lines = names.map((name) => this.#variables.lineOf(name, amplitudeOf, MIN_GLIDE_MICROS));
      return combine(lines, product, oneMoves);
    });
  }

  /** The frequency of tones that name none: cents above the default. */
  frequency() {
    return this.#line('frequency', undefined, (names) => {
      // The first counts in Hz, each further one as a factor on it.
      const unit = (name, at) => (at === 0 ? DEFAULT_FREQUENCY : this.#variables.get(name).default);
      const lines = names.map((name, at) =>
        this.#variables.lineOf(name, (hertz) => octavesToCents(hertz / unit(name, at))),
      );
      return combine(lines, sum, always);
    });
  }

  #line(parameter, sound, build) {
    if (this.#revision !== this.#variables.revision) {
      this.#revision = this.#variables.revision;
      this.#driven.clear();
    }
    const key = `${parameter} ${sound ?? ''}`;
    let driven = this.#driven.get(key);
    if (!driven) {
      driven = { names: this.#bound(parameter, sound), state: null, line: NEUTRAL[parameter] };
      this.#driven.set(key, driven);
    }
    const state = driven.names.map((name) => this.#variables.versionOf(name)).join();
    if (driven.names.length > 0 && state !== driven.state) {
      Object.assign(driven, { state, line: build(driven.names) });
    }
    return driven.line;
  }

  /** The variables that drive a parameter, once for each of their bindings. */
  #bound(parameter, sound) {
    return this.#variables.declared.flatMap(({ name, bind = [] }) =>
      bind
        .filter((binding) => binding.parameter === parameter)
        .filter((binding) => binding.sound === undefined || binding.sound === sound)
        .map(() => name),
    );
  }
}
