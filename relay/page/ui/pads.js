// The bank as a grid of pads, with a search field, played by pointer and by key.
//
// Only the pads in sight are drawn and animated; the animation runs while something sounds.

import { TONE } from '../protocol/fields.js';
import { positionOfKey } from '../state/pad-keys.js';
import { element, takesText } from './dom.js';
import { Pad } from './pad.js';
import { Rail } from './rail.js';
import { matcher } from '../state/search.js';

/** How long pads are in sight until they count, in ms. */
const SIGHT_MILLIS = 250;

/** So many pads and fewer are large. */
const FEW = 12;

export class Pads {
  #grid = element('pads');
  #rail = new Rail();
  #search = element('search-pads');
  #names = [];
  /** @type {Map<string, Pad>} */
  #pads = new Map();
  #visible = new Set();
  #observer;
  #sounding = () => [];
  #isRunning = false;
  #on;
  #held = new Map();
  #sightTimer = null;

  /**
   * @param {object} on
   * @param {(sound: string, hitDb: number) => void} on.hit
   * @param {(sound: string) => void} on.stop
   * @param {(sounds: string[]) => void} on.sight which sounds are in sight
   * @param {() => boolean} on.isPlayable whether keys play
   */
  constructor(on) {
    this.#on = on;
    this.#observer = new IntersectionObserver((entries) => this.#seen(entries), {
      root: this.#grid,
      rootMargin: '120px',
    });
    // The canvases follow the size of their pads.
    new ResizeObserver(() => this.redraw()).observe(this.#grid);
    this.#search.addEventListener('input', () => this.#filter());
    this.#search.addEventListener('keydown', (event) => this.#searchKey(event));
    document.addEventListener('keydown', (event) => this.#keyDown(event));
    document.addEventListener('keyup', ({ code }) => this.#release(code));
    window.addEventListener('blur', () => [...this.#held.keys()].forEach((code) => this.#release(code)));
  }

  /**
   * Shows the bank, in the relay's order, and the tone behind it.
   * @param {string[]} sounds
   * @param {(name: string) => {isReady: boolean, peaks: Float32Array | undefined}} stateOf
   */
  show(sounds, stateOf) {
    const names = [...sounds, TONE];
    if (names.join('\n') !== this.#names.join('\n')) this.#build(names);
    for (const name of sounds) {
      const { isReady, peaks } = stateOf(name);
      this.setReady(name, isReady, peaks);
    }
  }

  setReady(name, isReady, peaks) {
    this.#pads.get(name)?.setReady(isReady, peaks);
  }

  /** The waveform of the tone. */
  setShape(shape) {
    this.#pads.get(TONE)?.setShape(shape);
  }

  /** The sound is heard. @param {'flash' | 'glow' | 'elsewhere'} light */
  light(sound, light) {
    this.#pads.get(sound)?.light(light);
    this.#animate();
  }

  /** Where to ask what sounds. @param {() => object[]} sounding */
  follow(sounding) {
    this.#sounding = sounding;
  }

  redraw() {
    for (const pad of this.#visible) pad.redraw();
  }

  #build(names) {
    this.#names = names;
    this.#observer.disconnect();
    this.#visible.clear();
    const pad = (name, position) => {
      const hit = (hitDb) => this.#on.hit(name, hitDb);
      return new Pad(name, position, hit, () => this.#on.stop(name));
    };
    this.#pads = new Map(names.map((name, position) => [name, pad(name, position)]));
    this.#pads.get(TONE).setShape('sine');
    const elements = [...this.#pads.values()].map((one) => one.element);
    this.#grid.classList.toggle('few', names.length <= FEW);
    this.#grid.replaceChildren(...elements);
    elements.forEach((one) => this.#observer.observe(one));
    this.#filter();
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const pad = this.#pads.get(target.dataset.sound);
      if (pad?.element !== target) continue;
      if (isIntersecting) this.#visible.add(pad);
      else this.#visible.delete(pad);
      pad.setVisible(isIntersecting);
    }
    this.#animate();
    // Those that are only passed in scrolling do not count.
    clearTimeout(this.#sightTimer);
    const names = () => [...this.#visible].map(({ name }) => name);
    this.#sightTimer = setTimeout(() => this.#on.sight(names()), SIGHT_MILLIS);
  }

  /** Moves the voices of the pads in sight, from frame to frame while something sounds. */
  #animate() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const frame = () => {
      const bySound = group(this.#sounding());
      for (const pad of this.#visible) pad.showVoices(bySound.get(pad.name) ?? []);
      this.#isRunning = bySound.size > 0;
      if (this.#isRunning) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  #keyDown(event) {
    if (takesText(event.target) || !this.#on.isPlayable()) return;
    if (event.key === '/' && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      this.#search.focus();
      return;
    }
    const name = this.#names[positionOfKey(event)];
    if (name === undefined) return;
    event.preventDefault();
    if (event.repeat || this.#held.has(event.code)) return;
    this.#held.set(event.code, name);
    this.#pads.get(name).pressed();
    this.#on.hit(name, 0);
  }

  #release(code) {
    this.#pads.get(this.#held.get(code))?.release();
    this.#held.delete(code);
  }

  #searchKey({ key }) {
    if (key === 'Escape') {
      this.#search.value = '';
      this.#filter();
      this.#search.blur();
    }
    if (key !== 'Enter') return;
    const first = [...this.#pads.values()].find(({ element: pad }) => !pad.hidden);
    first?.element.querySelector('.hit').focus();
  }

  #filter() {
    const matches = matcher(this.#search.value);
    let found = 0;
    for (const [name, pad] of this.#pads) {
      const isFound = matches(name);
      if (pad.element.hidden === isFound) pad.element.hidden = !isFound;
      if (isFound) found += 1;
    }
    const all = this.#names.length;
    element('found-pads').textContent = found === all ? `${all}` : `${found} of ${all}`;
    element('no-pad').hidden = found > 0;
    this.#rail.update();
  }
}

function group(voices) {
  const bySound = new Map();
  for (const voice of voices) bySound.set(voice.sound, [...(bySound.get(voice.sound) ?? []), voice]);
  return bySound;
}
