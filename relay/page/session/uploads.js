// Uploads of files to the bank: two at a time, each checked before, with progress, and again after an
// interruption.
//
// An upload that breaks off is sent again from its start, to the same path; where the relay has ended it, a new
// one is asked for. Nothing is given up in silence: a file that failed stays in the list with the reason.

import { HEAD_BYTES, problemOf, soundNameOf } from '../state/sound-files.js';

/** Files that are sent at a time. */
const MAX_RUNNING = 2;

/** Most files in the list; what is beyond is refused. */
const MAX_LISTED = 256;

/** Attempts to send a file, and the delay after the first; it doubles. In ms. */
const MAX_ATTEMPTS = 6;
const RETRY_MILLIS = 1000;

/** Statuses after which it may work another time: none at all, an end before the end, too slow, too many. */
const TRANSIENT = [0, 400, 408, 429, 500, 502, 503, 504];

const ENDED = 404;

const TEXTS = {
  413: 'It is larger than the relay allows.',
  415: 'The relay cannot read it.',
  507: 'The relay has no space left for it.',
};

/**
 * @typedef {object} Upload
 * @property {number} id
 * @property {File} file
 * @property {'checking' | 'waiting' | 'asking' | 'sending' | 'interrupted' | 'done' | 'failed'} state
 * @property {number} sent bytes
 * @property {number} attempts
 * @property {string | null} path
 * @property {string | null} problem why it failed, in words
 * @property {boolean} mayRetry whether it may work another time
 * @property {string} sound the name of the sound; once it is done, the one that the relay has given it
 * @property {(() => void) | null} abort
 */

export class Uploads {
  #requests;
  #put;
  #ui;
  #setTimer;
  #lastId = 0;
  /** @type {Map<number, Upload>} */
  #uploads = new Map();

  /**
   * @param {object} parts
   * @param {import('./requests.js').Requests} parts.requests
   * @param {typeof import('../net/upload.js').putFile} parts.put
   * @param {import('../ui/ui.js').Ui} parts.ui
   * @param {typeof setTimeout} [parts.setTimer]
   */
  constructor({ requests, put, ui, setTimer = (...args) => globalThis.setTimeout(...args) }) {
    this.#requests = requests;
    this.#put = put;
    this.#ui = ui;
    this.#setTimer = setTimer;
  }

  /** Adds files. @param {File[]} files @returns {Promise<void>} when all are checked */
  async add(files) {
    const space = MAX_LISTED - this.#uploads.size;
    const taken = [...files].slice(0, Math.max(0, space)).map((file) => this.#list(file));
    if (taken.length < files.length) {
      const left = files.length - taken.length;
      this.#ui.notify(`${left} files were not added: ${MAX_LISTED} at a time. Add them once these are done.`);
    }
    this.#show();
    for (const upload of taken) await this.#check(upload);
  }

  /** Ends an upload, or removes one that has ended from the list. */
  remove(id) {
    const upload = this.#uploads.get(id);
    this.#uploads.delete(id);
    upload?.abort?.();
    this.#next();
  }

  /** Sends a file again that failed. */
  retry(id) {
    const upload = this.#uploads.get(id);
    if (upload?.state !== 'failed' || !upload.mayRetry) return;
    Object.assign(upload, { state: 'waiting', attempts: 0, problem: null, path: null });
    this.#next();
  }

  /** Removes what is done from the list. */
  clear() {
    for (const [id, { state }] of this.#uploads) if (state === 'done') this.#uploads.delete(id);
    this.#show();
  }

  /** Connected again: what waits goes on. */
  connected() {
    this.#next();
  }

  #list(file) {
    this.#lastId += 1;
    const sound = soundNameOf(file.name);
    const start = { state: 'checking', sent: 0, attempts: 0, path: null, problem: null, mayRetry: false, abort: null };
    const upload = { id: this.#lastId, file, sound, ...start };
    this.#uploads.set(upload.id, upload);
    return upload;
  }

  async #check(upload) {
    try {
      const head = new Uint8Array(await upload.file.slice(0, HEAD_BYTES).arrayBuffer());
      const problem = problemOf(upload.file, head);
      if (problem !== null) return this.#fail(upload, problem);
    } catch {
      return this.#fail(upload, 'The browser cannot read it. A folder cannot be added, only its files.');
    }
    upload.state = 'waiting';
    this.#next();
  }

  /** Starts what waits, as far as there is room. */
  #next() {
    const all = [...this.#uploads.values()];
    const isRunning = ({ state }) => ['asking', 'sending', 'interrupted'].includes(state);
    const space = MAX_RUNNING - all.filter(isRunning).length;
    const waiting = all.filter(({ state }) => state === 'waiting');
    for (const upload of waiting.slice(0, Math.max(0, space))) this.#ask(upload);
    this.#show();
  }

  /** Asks the relay where to send it. */
  #ask(upload) {
    const { file, sound } = upload;
    const isSent = this.#requests.send(
      { type: 'upload', name: sound, bytes: file.size },
      {
        ready: (path) => this.#whileListed(upload, () => this.#sendTo(upload, path)),
        refused: ({ message }) => this.#whileListed(upload, () => this.#fail(upload, `The relay refuses it: ${message}.`, true)),
        lost: () => this.#whileListed(upload, () => (upload.state = 'waiting')),
      },
    );
    // Without a connection it waits for the next one.
    if (isSent) upload.state = 'asking';
  }

  async #sendTo(upload, path) {
    Object.assign(upload, { state: 'sending', path, sent: 0 });
    this.#show();
    const sending = this.#put(path, upload.file, (sent) => {
      upload.sent = sent;
      this.#show();
    });
    upload.abort = sending.abort;
    const { status, text } = await sending.answer;
    upload.abort = null;
    this.#whileListed(upload, () => this.#answered(upload, status, text));
  }

  #answered(upload, status, text) {
    if (status === 201) return this.#succeed(upload, text);
    upload.attempts += 1;
    const mayRetry = TRANSIENT.includes(status) || status === ENDED;
    if (!mayRetry) return this.#fail(upload, reasonOf(status, text), ![413, 415].includes(status));
    if (upload.attempts >= MAX_ATTEMPTS) {
      return this.#fail(upload, `The connection broke off ${MAX_ATTEMPTS} times. Try again on a better network.`, true);
    }
    upload.state = 'interrupted';
    this.#show();
    const wait = RETRY_MILLIS * 2 ** (upload.attempts - 1);
    this.#setTimer(() => this.#whileListed(upload, () => this.#again(upload, status)), wait);
  }

  #again(upload, status) {
    if (status !== ENDED) return void this.#sendTo(upload, upload.path);
    upload.state = 'waiting';
    this.#next();
  }

  #succeed(upload, text) {
    upload.state = 'done';
    upload.sent = upload.file.size;
    upload.sound = nameIn(text) ?? upload.sound;
    this.#next();
  }

  #fail(upload, problem, mayRetry = false) {
    Object.assign(upload, { state: 'failed', problem, mayRetry });
    this.#next();
  }

  #whileListed(upload, run) {
    if (this.#uploads.get(upload.id) === upload) run();
  }

  #show() {
    this.#ui.bank.showUploads([...this.#uploads.values()]);
  }
}

/** The name of the sound in the answer to an upload; null if there is none. */
function nameIn(text) {
  try {
    const { name } = JSON.parse(text);
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}

function reasonOf(status, text) {
  const reason = text.trim().slice(0, 300);
  if (status === 415 && reason !== '') return `The relay cannot read it: ${reason.replace(/\.?$/, '.')}`;
  return TEXTS[status] ?? `The relay answered ${status}.`;
}
