// The view Sounds: the bank in its order, on how many machines each sound is ready, and what can be changed
// about it; and the files that are being added.

import { CONDUCT, whyNot } from '../state/rights.js';
import { ACCEPT, KINDS, MAX_FILE_BYTES, MAX_SOUNDS, formatBytes } from '../state/sound-files.js';
import { matcher } from '../state/search.js';
import { readinessOf } from '../state/readiness.js';
import { DropZone } from './drop-zone.js';
import { element, make, setText } from './dom.js';
import { button } from './fields.js';
import { SoundEditor } from './sound-editor.js';
import { SoundOrder } from './sound-order.js';
import { SoundRow } from './sound-row.js';
import { UploadList } from './upload-list.js';
import { VirtualList } from './virtual-list.js';

const UNKNOWN = () => null;

export class BankView {
  #view;
  #editor;
  #uploads;
  #search = element('search-bank');
  #sounds = [];
  #names = new Set();
  #defaultSound = '';
  #removed = [];
  /** The hash of the chosen sound. @type {string | null} */
  #chosen = null;
  /** On how many machines a sound is ready; null if it is unknown. */
  #readiness = UNKNOWN;
  #peaksOf = () => undefined;
  #denial = null;
  #perform;

  /** @param {(action: import('../session/actions.js').Action) => void} perform */
  constructor(perform) {
    this.#perform = perform;
    const order = new SoundOrder(() => this.#view, (hash, position) => this.#edit({ hash, position }));
    const row = {
      audition: (sound) => perform({ type: 'audition', sound }),
      readiness: (name) => this.#readinessOf(name),
      isSelected: (hash) => hash === this.#chosen,
      drag: (event, hash) => order.drag(event, hash),
    };
    this.#view = new VirtualList(element('bank-list'), {
      keyOf: ({ key }) => key,
      createRow: () => new SoundRow(row),
      choose: ({ sound }) => this.#choose(sound.hash === this.#chosen ? null : sound.hash),
      key: (event, item) => this.#key(event, item),
    });
    this.#editor = new SoundEditor(
      (changed) => perform({ type: 'edit-sounds', ...changed }),
      () => this.#choose(null),
    );
    this.#uploads = new UploadList(perform, (sound) => this.#readinessOf(sound));
    new DropZone((files) => perform({ type: 'add-files', files }), () => this.#denial);
    const files = element('add-files');
    files.accept = ACCEPT;
    files.addEventListener('change', () => {
      perform({ type: 'add-files', files: [...files.files] });
      // The same file can be chosen again.
      files.value = '';
    });
    this.#search.addEventListener('input', () => this.#draw());
    this.showRights({ rights: 'conductor', isLocked: false });
  }

  /** Where to ask for the peaks of a sound. @param {(name: string) => Float32Array | undefined} peaksOf */
  followPeaks(peaksOf) {
    this.#peaksOf = peaksOf;
  }

  /** The view is shown. */
  shown() {
    this.#draw();
  }

  /** The colours have changed. */
  redraw() {
    this.#editor.redraw();
  }

  /** Whether the bank can be changed. */
  showRights(room) {
    this.#denial = whyNot(CONDUCT, room);
    const limits = `${KINDS}; up to ${formatBytes(MAX_FILE_BYTES)} each, ${MAX_SOUNDS} sounds in all.`;
    const drop = matchMedia('(pointer: fine)').matches ? 'Drop files anywhere on the page. ' : '';
    setText(element('bank-hint'), this.#denial ?? drop + limits);
    element('bank').classList.toggle('denied', this.#denial !== null);
    element('add-files').disabled = this.#denial !== null;
    this.#draw();
  }

  /**
   * @param {object[]} sounds in their order
   * @param {string} defaultSound
   * @param {{name: string, hash: string}[]} removed the newest first
   */
  showBank(sounds, defaultSound, removed) {
    this.#sounds = sounds;
    this.#names = new Set(sounds.map(({ name }) => name));
    this.#defaultSound = defaultSound;
    this.#removed = removed;
    if (!sounds.some(({ hash }) => hash === this.#chosen)) this.#chosen = null;
    this.#draw();
  }

  /** @param {import('../state/machines.js').Machine[]} players */
  showPlayers(players, standard) {
    this.#readiness = players.length === 0 ? UNKNOWN : readinessOf(players, standard);
    this.#view.refresh();
    this.#uploads.refresh();
    this.#showChosen();
  }

  /** See upload-list.js. */
  showUploads(uploads) {
    this.#uploads.show(uploads);
  }

  #draw() {
    const matches = matcher(this.#search.value);
    const seen = new Map();
    const items = this.#sounds.map((sound, index) => {
      // Two sounds may have one file.
      const before = seen.get(sound.hash) ?? 0;
      seen.set(sound.hash, before + 1);
      return { key: `${sound.hash}-${before}`, sound, index, isDefault: sound.name === this.#defaultSound };
    });
    const found = items.filter(({ sound }) => matches(sound.name));
    const all = items.length;
    const bytes = this.#sounds.reduce((sum, sound) => sum + sound.bytes, 0);
    const text = found.length === all ? `${all} · ${formatBytes(bytes)}` : `${found.length} of ${all}`;
    setText(element('found-bank'), text);
    element('no-sound').hidden = found.length > 0;
    // Of a part of the list, the order cannot be seen.
    element('bank-list').classList.toggle('filtered', found.length < all);
    this.#view.show(found);
    this.#showRemoved();
    this.#showChosen();
  }

  #showRemoved() {
    const bar = element('removed');
    bar.hidden = this.#removed.length === 0 || this.#denial !== null;
    const chips = this.#removed.map(({ name, hash }) => {
      const back = button('button', 'Put back', () => this.#edit({ hash, removed: false }));
      return make('span.removed-sound', {}, make('span', {}, name), back);
    });
    bar.replaceChildren(make('span.label', {}, 'Removed'), ...chips);
  }

  #choose(hash) {
    this.#chosen = hash;
    this.#view.refresh();
    this.#showChosen();
  }

  #showChosen() {
    const index = this.#sounds.findIndex(({ hash }) => hash === this.#chosen);
    element('bank').classList.toggle('has-choice', index >= 0);
    if (index < 0) return this.#editor.show(null);
    const sound = this.#sounds[index];
    const isDefault = sound.name === this.#defaultSound;
    const shown = { sound, index, isDefault, count: this.#sounds.length };
    this.#editor.show(shown, this.#peaksOf(sound.name), this.#readinessOf(sound.name), this.#denial);
  }

  /** Alt and an arrow key move a sound; Delete removes it. */
  #key({ key, altKey }, item) {
    if (!item || this.#denial !== null) return false;
    const by = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (altKey && by) {
      const position = item.index + by;
      if (position >= 0 && position < this.#sounds.length) this.#edit({ hash: item.sound.hash, position });
      return true;
    }
    if (key !== 'Delete') return false;
    this.#edit({ hash: item.sound.hash, removed: true });
    return true;
  }

  /** On how many machines a sound is ready; null if that is unknown, or the bank does not have it yet. */
  #readinessOf(name) {
    return this.#names.has(name) ? this.#readiness(name) : null;
  }

  #edit(changed) {
    this.#perform({ type: 'edit-sounds', sounds: [changed] });
  }
}
