// The files that are being added: how far each is, what went wrong, and on how many machines it is ready.

import { formatBytes } from '../state/sound-files.js';
import { element, make, setText } from './dom.js';
import { button, iconButton } from './fields.js';

/** The relay has all of it. */
const CHECKED_TEXT = 'The relay checks it…';

const STATE_TEXTS = {
  checking: 'Checking…',
  waiting: 'Waiting for its turn',
  asking: 'Asking the relay…',
  decoding: CHECKED_TEXT,
  interrupted: 'Interrupted; it is sent again in a moment',
};

export class UploadList {
  #list = element('uploads');
  /** By id. @type {Map<number, Row>} */
  #rows = new Map();
  #uploads = [];
  #perform;
  #readinessOf;
  #isDue = false;

  /**
   * @param {(action: import('../session/actions.js').Action) => void} perform
   * @param {(sound: string) => {ready: number, of: number} | null} readinessOf
   */
  constructor(perform, readinessOf) {
    this.#perform = perform;
    this.#readinessOf = readinessOf;
    element('clear-uploads').addEventListener('click', () => perform({ type: 'clear-uploads' }));
  }

  /** @param {import('../session/uploads.js').Upload[]} uploads */
  show(uploads) {
    this.#uploads = uploads;
    this.refresh();
  }

  /** Draws with the next frame. */
  refresh() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const known = this.#rows;
    this.#rows = new Map();
    for (const upload of this.#uploads) {
      const row = known.get(upload.id) ?? new Row(upload.id, this.#perform);
      row.show(upload, this.#readinessOf(upload.sound));
      this.#rows.set(upload.id, row);
      if (!row.element.isConnected) this.#list.append(row.element);
    }
    for (const [id, row] of known) if (!this.#rows.has(id)) row.element.remove();
    element('uploads-head').hidden = this.#uploads.length === 0;
    element('clear-uploads').hidden = !this.#uploads.some(({ state }) => state === 'done');
    const left = this.#uploads.filter(({ state }) => state !== 'done' && state !== 'failed').length;
    setText(element('uploading'), left === 0 ? '' : `+${left}`);
  }
}

class Row {
  #name = make('b.upload-name');
  #text = make('span.upload-text');
  #fill = make('i');
  #retry;
  #remove;

  constructor(id, perform) {
    this.#retry = button('button.quiet', 'Try again', () => perform({ type: 'retry-upload', id }));
    this.#remove = iconButton('button.icon-button', 'close', '', () => perform({ type: 'remove-upload', id }));
    const bar = make('span.upload-bar', { 'aria-hidden': 'true' }, this.#fill);
    this.element = make('li.upload', {}, this.#name, this.#text, bar, this.#retry, this.#remove);
  }

  show({ file, state, sent, problem, mayRetry, sound }, readiness) {
    const isDone = state === 'done';
    const isReady = isDone && readiness !== null && readiness.ready === readiness.of;
    this.element.dataset.state = isReady ? 'ready' : state;
    setText(this.#name, isDone ? sound : file.name);
    setText(this.#text, textOf(state, problem, sent, file.size, readiness));
    const share = file.size === 0 ? 0 : sent / file.size;
    const ready = readiness && readiness.of > 0 ? readiness.ready / readiness.of : 1;
    this.#fill.style.transform = `scaleX(${isDone ? ready : share})`;
    this.#retry.hidden = state !== 'failed' || !mayRetry;
    const isOver = isDone || state === 'failed';
    this.#remove.setAttribute('aria-label', isOver ? 'Clear from the list' : 'Cancel');
    this.#remove.title = isOver ? 'Clear from the list' : 'Cancel';
  }
}

function textOf(state, problem, sent, size, readiness) {
  if (state === 'failed') return problem;
  if (state === 'sending') {
    return sent >= size ? CHECKED_TEXT : `${formatBytes(sent)} of ${formatBytes(size)}`;
  }
  if (state !== 'done') return STATE_TEXTS[state];
  return readiness === null ? 'Added' : `Ready on ${readiness.ready} of ${readiness.of}`;
}
