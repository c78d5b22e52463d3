// One pad: plays its sound when it is hit, lights when the sound is heard, and shows each voice on its way.

import { velocityDb } from '../state/hand.js';
import { keyAt } from '../state/pad-keys.js';
import { formatSeconds } from '../state/units.js';
import { make, setText } from './dom.js';
import { drawPeaks, drawTone } from './waveform.js';

/** Duration of a flash before it fades, in ms. */
const FLASH_MILLIS = 90;

/** Most voices of a pad that have a line of their own; their number is shown in any case. */
const MAX_HEADS = 8;

/** Number of colours of pads, as tokens.css has them. */
const COLORS = 8;

export class Pad {
  #canvas = make('canvas.wave', { 'aria-hidden': 'true' });
  #left = make('span.left', { 'aria-hidden': 'true' });
  #heads = make('span.heads', { 'aria-hidden': 'true' });
  #stop;
  #peaks;
  #shape = null;
  #isDrawn = false;
  #timer = null;
  #sounding = 0;

  /**
   * @param {string} name
   * @param {number} position in the bank: it gives the pad its key and its colour
   * @param {(hitDb: number) => void} onHit
   * @param {() => void} onStop
   */
  constructor(name, position, onHit, onStop) {
    this.name = name;
    const key = keyAt(position);
    const label = key ? `Play ${name}, key ${key.toUpperCase()}` : `Play ${name}`;
    const hit = make(
      'button.hit',
      { type: 'button', 'aria-label': label, 'aria-keyshortcuts': key?.toUpperCase() },
      this.#canvas,
      make('span.name', { title: name }, name),
      this.#left,
    );
    if (key) hit.append(make('kbd', { 'aria-hidden': 'true' }, key.toUpperCase()));
    this.#stop = make('button.stop-one', { type: 'button', 'aria-label': `Stop ${name}`, hidden: true });
    this.element = make(
      'div.pad',
      { 'data-sound': name, 'data-color': position % COLORS },
      this.#heads,
      hit,
      this.#stop,
    );
    const press = (hitDb) => {
      this.element.classList.add('pressed');
      onHit(hitDb);
    };
    hit.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      const { bottom, height } = hit.getBoundingClientRect();
      // A hit in the upper quarter is at full level: nobody aims at an edge.
      press(velocityDb((bottom - event.clientY) / (height * 0.75)));
    });
    for (const end of ['pointerup', 'pointercancel', 'pointerleave', 'keyup', 'blur']) {
      hit.addEventListener(end, () => this.release());
    }
    hit.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      event.stopPropagation();
      if (!event.repeat) press(0);
    });
    // A click without pointer or key comes from a screen reader.
    hit.addEventListener('click', ({ detail }) => {
      if (detail === 0) onHit(0);
    });
    hit.addEventListener('contextmenu', (event) => event.preventDefault());
    this.#stop.addEventListener('click', () => onStop());
  }

  /** A key plays it. */
  pressed() {
    this.element.classList.add('pressed');
  }

  release() {
    this.element.classList.remove('pressed');
  }

  /** @param {Float32Array | undefined} peaks */
  setReady(isReady, peaks) {
    this.element.classList.toggle('missing', !isReady);
    if (peaks === this.#peaks) return;
    this.#peaks = peaks;
    this.redraw();
  }

  /** It is the tone, with this waveform. */
  setShape(shape) {
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.redraw();
  }

  /** It comes into sight, or goes out of it: only then is it drawn. */
  setVisible(isVisible) {
    if (isVisible && !this.#isDrawn) {
      this.#isDrawn = true;
      this.redraw();
    } else if (!isVisible) {
      this.#isDrawn = false;
      // A canvas without pixels takes no memory.
      this.#canvas.width = 0;
    }
  }

  /** The colours or the size have changed. */
  redraw() {
    if (!this.#isDrawn) return;
    if (this.#shape) drawTone(this.#canvas, this.#shape);
    else drawPeaks(this.#canvas, this.#peaks);
  }

  /** Its sound is heard. @param {'flash' | 'glow' | 'elsewhere'} light */
  light(light) {
    const { classList } = this.element;
    classList.remove('flash', 'glow', 'elsewhere');
    classList.add(light);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => classList.remove(light), FLASH_MILLIS);
  }

  /** Shows the voices that sound. @param {{share: number, leftMicros: number}[]} voices the latest last */
  showVoices(voices) {
    if (voices.length === 0 && this.#sounding === 0) return;
    if ((voices.length === 0) !== (this.#sounding === 0)) {
      this.element.classList.toggle('sounding', voices.length > 0);
      this.#stop.hidden = voices.length === 0;
    }
    this.#sounding = voices.length;
    const heads = Math.min(MAX_HEADS, voices.length);
    while (this.#heads.childElementCount > heads) this.#heads.lastChild.remove();
    while (this.#heads.childElementCount < heads) this.#heads.append(make('i'));
    voices.slice(-MAX_HEADS).forEach(({ share }, at) => {
      const place = Math.min(1, Math.max(0, share));
      this.#heads.children[at].style.transform = `translateX(${(place - 1) * 100}%)`;
    });
    const texts = voices.slice(-2).map(({ leftMicros }) => formatSeconds(leftMicros / 1e6));
    if (voices.length > 2) texts.push(`×${voices.length}`);
    setText(this.#left, texts.join(' '));
  }
}
