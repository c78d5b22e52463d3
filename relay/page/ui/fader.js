// A fader: a value on a horizontal way, set by pointer, arrow keys, or by typing the number.
//
// A press moves it at once. A double click resets it.

import { formatValue, nudged, positionOf, rounded, valueAtPosition } from '../state/fader.js';
import { make, setText } from './dom.js';

/** Steps of one page key. */
const PAGE_STEPS = 10;

const KEY_STEPS = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -PAGE_STEPS,
  PageUp: PAGE_STEPS,
};

/**
 * @typedef {object} Range
 * @property {'float' | 'int'} type
 * @property {number} min
 * @property {number} max
 * @property {number} default where a double click moves it
 * @property {number} [step]
 * @property {string} [unit]
 * @property {'linear' | 'logarithmic'} [scale]
 */

export class Fader {
  #range;
  #on;
  #lost;
  #track;
  #field;
  #value;
  #isDragged = false;

  /**
   * @param {string} label its accessible name
   * @param {Range} range
   * @param {(value: number, isLast: boolean) => void} on called with each value, and last with the one
   *   with which a gesture ends
   * @param {() => void} lost called instead if the end of a gesture was not noticed
   */
  constructor(label, range, on, lost = () => {}) {
    this.#range = range;
    this.#on = on;
    this.#lost = lost;
    this.#track = make(
      'div.fader-track',
      {
        role: 'slider',
        tabindex: 0,
        'aria-label': label,
        'aria-valuemin': range.min,
        'aria-valuemax': range.max,
      },
      make('i.fader-groove'),
      make('i.fader-fill'),
      make('i.fader-thumb'),
    );
    this.#field = make('input.fader-value', {
      type: 'text',
      inputmode: 'decimal',
      'aria-label': `${label}, as a number`,
      autocomplete: 'off',
      spellcheck: 'false',
    });
    const unit = make('span.fader-unit', {}, range.unit ?? '');
    this.element = make('div.fader', {}, this.#track, make('span.fader-number', {}, this.#field, unit));
    this.#listen();
    this.show(range.default);
  }

  /** Whether it is held or typed into: what it shows is the user's. */
  get isHeld() {
    return this.#isDragged || document.activeElement === this.#field;
  }

  show(value) {
    if (value === this.#value) return;
    this.#value = value;
    const text = formatValue(this.#range, value);
    if (document.activeElement !== this.#field) this.#field.value = text;
    this.#track.setAttribute('aria-valuenow', String(value));
    this.#track.setAttribute('aria-valuetext', `${text} ${this.#range.unit ?? ''}`.trim());
    const { style } = this.#track;
    const position = positionOf(this.#range, value);
    style.setProperty('--at', String(position));
    // A way that goes through zero is filled from there.
    const { min, max, scale } = this.#range;
    const zero = scale !== 'logarithmic' && min < 0 && max > 0 ? positionOf(this.#range, 0) : 0;
    style.setProperty('--from', String(Math.min(position, zero)));
    style.setProperty('--to', String(Math.max(position, zero)));
  }

  #set(value, isLast) {
    const kept = rounded(this.#range, value);
    this.show(kept);
    this.#on(kept, isLast);
  }

  #listen() {
    const track = this.#track;
    const valueUnder = ({ clientX }) => {
      const { left, width } = track.getBoundingClientRect();
      // The way is shorter than the track by the width of the thumb.
      const margin = 10;
      return valueAtPosition(this.#range, (clientX - left - margin) / (width - 2 * margin));
    };
    track.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      track.setPointerCapture(event.pointerId);
      this.#isDragged = true;
      this.#set(valueUnder(event), false);
    });
    track.addEventListener('pointermove', (event) => {
      if (!this.#isDragged) return;
      if (event.buttons === 0) {
        // The fader was out of the document or hidden when it was released. What was meant then is over: others may
        // have set newer values.
        this.#isDragged = false;
        this.#lost();
        return;
      }
      const value = valueUnder(event);
      if (value !== this.#value) this.#set(value, false);
    });
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      track.addEventListener(end, () => {
        if (!this.#isDragged) return;
        this.#isDragged = false;
        this.#on(this.#value, true);
      });
    }
    track.addEventListener('dblclick', () => this.#set(this.#range.default, true));
    track.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const value = this.#keyed(event.key);
      if (value === undefined) return;
      event.preventDefault();
      this.#set(value, true);
    });
    this.#field.addEventListener('focus', () => this.#field.select());
    this.#field.addEventListener('change', () => {
      const typed = Number.parseFloat(this.#field.value.replace('−', '-').replace(',', '.'));
      if (Number.isFinite(typed)) this.#set(typed, true);
    });
    this.#field.addEventListener('blur', () => {
      this.#field.value = formatValue(this.#range, this.#value);
    });
  }

  #keyed(key) {
    if (key === 'Home') return this.#range.min;
    if (key === 'End') return this.#range.max;
    if (key === 'Delete' || key === 'Backspace') return this.#range.default;
    const steps = KEY_STEPS[key];
    return steps === undefined ? undefined : nudged(this.#range, this.#value, steps);
  }
}

/** A row with a label before a fader. */
export function faderRow(label, fader) {
  const name = make('span.row-label', { 'aria-hidden': 'true' });
  setText(name, label);
  return make('div.row', {}, name, fader.element);
}
