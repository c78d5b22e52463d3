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

/** When the relay is asked again that has not answered, in ms: it may drop a request without a word if too many
 * come. */
const ASK_AGAIN_MILLIS = 5000;

/** Attempts to send a file, and the delay after the first; it doubles. In ms. */
const MAX_ATTEMPTS = 6;
const RETRY_MILLIS = 1000;

/** Statuses after which it may work another time: none at all, an end before the end, too slow, too many. */
const TRANSIENT = [0, 400, 408, 429, 500, 502, 503, 504];

const ENDED = 404;

/** The relay has the file from a request whose answer was lost, and is decoding it. */
const DECODING = 409;

/** How often the relay is then asked whether it is done, and for how long, in ms. */
const DECODING_PAUSE_MILLIS = 500;
const DECODING_MILLIS = 120_000;

const TEXTS = {
  413: 'It is larger than the relay allows.',
  415: 'The relay cannot read it.',
  507: 'The relay has no space left for it.',
};

/**
 * @typedef {object} Upload
 * @property {number} id
 * @property {File} file
 * @property {'checking' | 'waiting' | 'asking' | 'sending' | 'decoding' | 'interrupted' | 'done' | 'failed'} state
 * @property {number} sent bytes
 * @property {number} asked how often the relay was asked where to send it
 * @property {number} attempts
 * @property {number | null} decodesUntil when the relay should have decoded it, in ms; null if it does not say that
 *   it does
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
  #now;
  #lastId = 0;
  /** @type {Map<number, Upload>} */
  #uploads = new Map();

  /**
   * @param {object} parts
   * @param {import('./requests.js').Requests} parts.requests
   * @param {typeof import('../net/upload.js').putFile} parts.put
   * @param {import('../ui/ui.js').Ui} parts.ui
   * @param {typeof setTimeout} [parts.setTimer]
   * @param {() => number} [parts.now] in ms
   */
  constructor({
    requests,
    put,
    ui,
    setTimer = (...args) => globalThis.setTimeout(...args),
    now = () => performance.now(),
  }) {
    this.#requests = requests;
    this.#put = put;
    this.#ui = ui;
    this.#setTimer = setTimer;
    this.#now = now;
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
    const counts = { sent: 0, asked: 0, attempts: 0, decodesUntil: null };
    const start = { state: 'checking', path: null, problem: null, mayRetry: false, abort: null };
    const upload = { id: this.#lastId, file, sound, ...counts, ...start };
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
    const isRunning = ({ state }) => ['asking', 'sending', 'decoding', 'interrupted'].includes(state);
    const space = MAX_RUNNING - all.filter(isRunning).length;
    const waiting = all.filter(({ state }) => state === 'waiting');
    for (const upload of waiting.slice(0, Math.max(0, space))) this.#ask(upload);
    this.#show();
  }

  /** Asks the relay where to send it, until it answers. Any answer will do. */
  #ask(upload) {
    const { file, sound } = upload;
    const whileAsking = (run) => this.#whileListed(upload, () => upload.state === 'asking' && run());
    const isSent = this.#requests.send(
      { type: 'upload', name: sound, bytes: file.size },
      {
        ready: (path) => whileAsking(() => this.#sendTo(upload, path)),
        refused: ({ message }) => whileAsking(() => this.#fail(upload, `The relay refuses it: ${message}.`, true)),
        lost: () => whileAsking(() => (upload.state = 'waiting')),
      },
    );
    // Without a connection it waits for the next one.
    upload.state = isSent ? 'asking' : 'waiting';
    upload.asked += 1;
    upload.decodesUntil = null;
    const { asked } = upload;
    this.#setTimer(() => whileAsking(() => upload.asked === asked && this.#ask(upload)), ASK_AGAIN_MILLIS);
  }

  /** Sends it. @param {'sending' | 'decoding'} state what is shown: whether its bytes or only the answer count */
  async #sendTo(upload, path, state = 'sending') {
    Object.assign(upload, { state, path, sent: state === 'sending' ? 0 : upload.file.size });
    this.#show();
    let sending;
    try {
      sending = this.#put(path, upload.file, (sent) => {
        if (upload.state !== 'sending') return;
        upload.sent = sent;
        this.#show();
      });
    } catch {
      return this.#fail(upload, 'The relay has named no valid place to send it to.', true);
    }
    upload.abort = sending.abort;
    const { status, text } = await sending.answer;
    upload.abort = null;
    this.#whileListed(upload, () => this.#answered(upload, status, text));
  }

  #answered(upload, status, text) {
    if (status === 201) return this.#succeed(upload, text);
    if (status === DECODING) return this.#awaitDecoding(upload);
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

  #awaitDecoding(upload) {
    upload.decodesUntil ??= this.#now() + DECODING_MILLIS;
    if (this.#now() >= upload.decodesUntil) {
      return this.#fail(upload, 'The relay does not say whether it can read it.', true);
    }
    Object.assign(upload, { state: 'decoding', sent: upload.file.size });
    this.#show();
    const again = () => this.#sendTo(upload, upload.path, 'decoding');
    this.#setTimer(() => this.#whileListed(upload, again), DECODING_PAUSE_MILLIS);
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
