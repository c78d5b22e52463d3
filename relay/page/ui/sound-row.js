// One row of the list of sounds: its name, how long and how large it is, and on how many machines it is ready.

import { formatBytes } from '../state/sound-files.js';
import { formatSeconds } from '../state/units.js';
import { make, setText } from './dom.js';
import { button } from './fields.js';

/** Number of colours of pads, as tokens.css has them. */
const COLORS = 8;

const CHANNELS = { 1: 'mono', 2: 'stereo' };

/** Rate and channels. */
function formatOf({ rate, channels }) {
  const kilohertz = Number((rate / 1000).toFixed(1));
  return `${kilohertz} kHz ${CHANNELS[channels] ?? `${channels} channels`}`;
}

/** @typedef {{key: string, sound: object, index: number, isDefault: boolean}} SoundItem */

export class SoundRow {
  #swatch = make('i.swatch');
  #name = make('span.name');
  #default = make('span.badge.is-default', {}, 'default');
  #loop = make('span.badge', {}, 'loop');
  #length = make('span.cell.length');
  #format = make('span.cell.format');
  #size = make('span.cell.size');
  #gain = make('span.cell.gain');
  #ready = make('span.cell.ready');
  #handle = make('span.handle.no-choice', { 'aria-hidden': 'true', title: 'Drag to change the order' }, make('i'));
  #on;
  #sound;

  /**
   * @param {object} on
   * @param {(name: string) => void} on.audition
   * @param {(name: string) => {ready: number, of: number} | null} on.readiness
   * @param {(hash: string) => boolean} on.isSelected
   * @param {(event: PointerEvent, hash: string) => void} on.drag
   */
  constructor(on) {
    this.#on = on;
    const play = button('button.icon-button.audition', '', () => on.audition(this.#sound.name));
    play.append(make('span.icon.icon-play', { 'aria-hidden': 'true' }));
    play.title = 'Listen on this machine only';
    play.setAttribute('aria-label', play.title);
    this.#handle.addEventListener('pointerdown', (event) => on.drag(event, this.#sound.hash));
    const cells = make('span.cells', {}, this.#length, this.#format, this.#size, this.#gain, this.#ready);
    const who = make('span.who', {}, this.#name, this.#default, this.#loop);
    this.element = make('div.sound.virtual-row', {}, this.#handle, this.#swatch, who, cells, play);
  }

  /** @param {SoundItem} item */
  show({ sound, index, isDefault }) {
    this.#sound = sound;
    const { name, frames, rate, bytes, gain_db: gain = 0, loop } = sound;
    const isSelected = this.#on.isSelected(sound.hash);
    this.element.classList.toggle('selected', isSelected);
    this.element.setAttribute('aria-selected', String(isSelected));
    this.#swatch.dataset.color = String(index % COLORS);
    setText(this.#name, name);
    this.#default.hidden = !isDefault;
    this.#loop.hidden = loop === undefined;
    setText(this.#length, formatSeconds(frames / rate));
    setText(this.#format, formatOf(sound));
    setText(this.#size, formatBytes(bytes));
    setText(this.#gain, gain === 0 ? '' : `${gain > 0 ? '+' : '−'}${Math.abs(Number(gain.toFixed(1)))} dB`);
    const readiness = this.#on.readiness(name);
    const { ready = 0, of = 0 } = readiness ?? {};
    setText(this.#ready, of === 0 ? '' : ready === of ? `all ${of}` : `${ready} of ${of}`);
    this.#ready.dataset.level = of === 0 ? '' : ready === of ? 'good' : 'warn';
    const words = [name, isDefault ? 'default' : '', loop ? 'loop' : '', formatSeconds(frames / rate)];
    this.element.setAttribute('aria-label', words.filter(Boolean).join(', '));
  }
}
