// What one plays by hand: the values, the target and the time that a press of a pad asks for.
//
// Pure state.

import { MAX_FREQUENCY, MIN_FREQUENCY, SHAPES, TONE } from '../protocol/fields.js';
import { amplitudeOf } from './bindings.js';

/** Ranges of what the strip sets; the middle one is where it starts. */
export const HAND_RANGES = {
  gainDb: { min: -60, start: 0, max: 12 },
  semitones: { min: -24, start: 0, max: 24 },
  cents: { min: -100, start: 0, max: 100 },
  pan: { min: -1, start: 0, max: 1 },
  frequency: { min: MIN_FREQUENCY, start: 440, max: MAX_FREQUENCY },
  durationMillis: { min: 1, start: 500, max: 600_000 },
  staggerMillis: { min: 0, start: 0, max: 10_000 },
  afterMillis: { min: 0, start: 1000, max: 3_600_000 },
};

/** Who can be chosen besides a tag, which is written `tag:NAME`. */
export const EVERYONE = 'everyone';
export const OTHERS = 'others';
export const ONE = 'one';
export const CHOSEN = 'chosen';
const TAG = 'tag:';

/** Level of a hit at the lower edge of a pad, in dB; the upper edge is full level. */
const SOFTEST_DB = -24;

/** The level of a hit, in dB. @param {number} height from the lower edge, 0, to the upper one, 1 */
export function velocityDb(height) {
  return SOFTEST_DB - SOFTEST_DB * Math.min(1, Math.max(0, height));
}

const START = {
  gainDb: 0,
  semitones: 0,
  cents: 0,
  pan: 0,
  /** null: as the variables say. */
  frequency: 440,
  durationMillis: 500,
  shape: SHAPES[0],
  target: EVERYONE,
  /** The ids of the clients that are chosen. */
  clients: [],
  staggerMillis: 0,
  when: 'together',
  afterMillis: 1000,
};

/** @param {string} tag */
export const tagTarget = (tag) => TAG + tag;

export class Hand {
  current = START;

  /** Changes some of the values; a number out of its range is moved into it. */
  update(changed) {
    const kept = Object.entries(changed).map(([name, value]) => {
      const range = HAND_RANGES[name];
      if (!range || value === null) return [name, value];
      const { start } = range;
      return [name, Number.isFinite(value) ? Math.min(range.max, Math.max(range.min, value)) : start];
    });
    this.current = { ...this.current, ...Object.fromEntries(kept) };
  }

  reset() {
    this.current = START;
  }

  /** Whether a press plays a sound as it is, for everyone, together. */
  get isNeutral() {
    return Object.entries(START).every(([name, value]) => {
      if (name === 'clients') return true;
      if (name === 'afterMillis' && this.current.when !== 'after') return true;
      return this.current[name] === value;
    });
  }

  /** The target, as a request has it; undefined for everyone, null if nobody is chosen. */
  get target() {
    const { target, clients } = this.current;
    if (target === OTHERS) return { others: true };
    if (target === ONE) return { one: true };
    if (target === CHOSEN) return clients.length > 0 ? { clients } : null;
    if (target.startsWith(TAG)) return { tags: [target.slice(TAG.length)] };
    return undefined;
  }

  /** The request of a press; null if it is for nobody. @param {number} hitDb the level of the hit, in dB */
  request(sound, hitDb = 0) {
    const { gainDb, semitones, cents, pan, staggerMillis } = this.current;
    const { target } = this;
    if (target === null) return null;
    return {
      type: 'trigger',
      sound,
      gain: Math.min(4, amplitudeOf(gainDb + hitDb)),
      rate: Math.min(4, Math.max(0.25, 2 ** ((semitones + cents / 100) / 12))),
      pan,
      tone: sound === TONE ? this.#tone() : undefined,
      target,
      when: this.#when(),
      stagger_micros: staggerMillis > 0 ? Math.round(staggerMillis * 1000) : undefined,
    };
  }

  #tone() {
    const { frequency, durationMillis, shape } = this.current;
    return {
      frequency: frequency ?? undefined,
      duration_micros: Math.round(durationMillis * 1000),
      shape,
    };
  }

  #when() {
    const { when, afterMillis } = this.current;
    if (when === 'together') return undefined;
    return when === 'after' ? { after_micros: Math.round(afterMillis * 1000) } : when;
  }
}
