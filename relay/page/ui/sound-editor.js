// What can be changed about the chosen sound: its name, gain, loop, order, whether it is the default; and its
// removal.

import { formatBytes } from '../state/sound-files.js';
import { formatSeconds } from '../state/units.js';
import { element, make, setText } from './dom.js';
import { Fader } from './fader.js';
import { button, field, iconButton, textField, toggle } from './fields.js';
import { drawPeaks } from './waveform.js';

const GAIN = { type: 'float', min: -60, max: 12, default: 0, unit: 'dB', step: 0.5 };

export class SoundEditor {
  #panel = element('sound-editor');
  #title = make('h2.panel-title');
  #canvas = make('canvas.editor-wave', { 'aria-hidden': 'true' });
  #facts = make('p.hint');
  #ready = make('p.editor-ready');
  #name;
  #gain;
  #loop;
  #default;
  #up;
  #down;
  #controls;
  #empty = make('p.hint', {}, 'Choose a sound to change its name, gain, loop or order, or to remove it.');
  #body;
  /** @type {{sound: object, index: number, isDefault: boolean, count: number} | null} */
  #shown = null;
  #peaks;

  /**
   * @param {(changed: {sounds?: object[], defaultSound?: string}) => void} edit
   * @param {() => void} onClose
   */
  constructor(edit, onClose) {
    const change = (changed) => edit({ sounds: [{ hash: this.#shown.sound.hash, ...changed }] });
    this.#name = textField('Name', (name) => change({ name }), { maxlength: 64 });
    this.#gain = new Fader('Gain', GAIN, (gain, isLast) => isLast && change({ gain_db: gain }));
    this.#loop = toggle('Loop', (loop) => change({ loop }));
    this.#default = button('button.quiet', 'Make it the default', () => {
      edit({ defaultSound: this.#shown.sound.hash });
    });
    const move = (by) => () => change({ position: this.#shown.index + by });
    this.#up = iconButton('button.quiet', 'up', 'Up', move(-1));
    this.#down = iconButton('button.quiet', 'down', 'Down', move(1));
    const remove = iconButton('button.quiet.danger', 'remove', 'Remove', () => change({ removed: true }));
    this.#controls = make(
      'div.editor-controls',
      {},
      field('Name', this.#name.input),
      field('Gain', this.#gain.element),
      make('label.setting', {}, make('span.setting-label', {}, 'Loop until a stop'), this.#loop),
      make('div.panel-actions', {}, this.#up, this.#down, this.#default, remove),
    );
    const close = iconButton('button.icon-button', 'close', '', onClose, { 'aria-label': 'Choose no sound' });
    const head = make('div.section-head', {}, this.#title, close);
    this.#body = make('div.editor-body', {}, head, this.#canvas, this.#facts, this.#ready, this.#controls);
    this.#panel.append(this.#empty, this.#body);
    new ResizeObserver(() => this.redraw()).observe(this.#canvas);
    this.show(null);
  }

  /**
   * @param {{sound: object, index: number, isDefault: boolean, count: number} | null} shown
   * @param {Float32Array} [peaks]
   * @param {{ready: number, of: number} | null} [readiness]
   * @param {string | null} [denial] why it cannot be changed
   */
  show(shown, peaks, readiness = null, denial = null) {
    const isOther = shown?.sound.hash !== this.#shown?.sound.hash;
    this.#shown = shown;
    this.#empty.hidden = shown !== null;
    this.#body.hidden = shown === null;
    if (shown === null) return;
    const { sound, index, isDefault, count } = shown;
    setText(this.#title, sound.name);
    setText(this.#facts, `${formatSeconds(sound.frames / sound.rate)} · ${sound.rate} Hz · ${formatBytes(sound.bytes)}`);
    this.#controls.inert = denial !== null;
    const { ready = 0, of = 0 } = readiness ?? {};
    const text = of === 0 ? '' : `Ready on ${ready} of ${of} machines`;
    setText(this.#ready, denial ?? text);
    this.#ready.dataset.level = denial === null && ready === of ? 'good' : 'warn';
    if (isOther) document.activeElement === this.#name.input && this.#name.input.blur();
    this.#name.show(sound.name);
    if (isOther || !this.#gain.isHeld) this.#gain.show(sound.gain_db ?? 0);
    this.#loop.checked = sound.loop !== undefined;
    this.#default.disabled = isDefault;
    setText(this.#default, isDefault ? 'This is the default' : 'Make it the default');
    this.#up.disabled = index === 0;
    this.#down.disabled = index === count - 1;
    if (peaks === this.#peaks && !isOther) return;
    this.#peaks = peaks;
    this.redraw();
  }

  redraw() {
    if (this.#shown) drawPeaks(this.#canvas, this.#peaks);
  }
}
