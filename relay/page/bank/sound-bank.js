// The sounds: fetched from the relay by their hash and decoded, the likeliest ahead of their first
// need, the others at it, and kept as far as memory allows.
//
// Knows nothing of triggers or of when a sound is played. A sound that cannot be had is said once and
// tried again later; the others are not kept waiting.

import { decodedBytes } from './decode.js';

/** Most memory of decoded sounds, in bytes: what a phone's browser leaves a page without killing it.
 * Beyond it the sound goes that was needed longest ago; it is fetched again when it is needed. */
export const MAX_DECODED_BYTES = 256 * 2 ** 20;

/** As much of it is filled ahead of need. */
const MAX_AHEAD_BYTES = 64 * 2 ** 20;

/** Most sounds that are fetched or decoded at once; the others wait. */
const MAX_LOADING = 4;

/** Wait before a sound that could not be had is tried again; and after the relay said that too much
 * is asked of it at once, in ms. */
const RETRY_MILLIS = 5000;
const BUSY_MILLIS = 1000;

/** How many sounds the counts of use are kept of, from one visit to the next. */
const MAX_USES = 64;

class Busy extends Error {}

export class Bank {
  #decode;
  #rate;
  #on;
  #fetch;
  #setTimer;
  /** The relay's bank. @type {Map<string, {name: string, hash: string, bytes: number}>} */
  #sounds = new Map();
  /** Decoded sounds by hash, in the order in which they were last needed. */
  #buffers = new Map();
  /** Sounds under way, by hash, and the memory that they will take. @type {Map<string, number>} */
  #loading = new Map();
  /** Hashes that wait to be tried again, or that never will. */
  #resting = new Set();
  /** What was asked for and is not there, by name. The last one comes first. */
  #needed = [];
  /** What is loaded ahead of need, by name, the likeliest first. */
  #ahead = [];
  #uses;

  /**
   * @param {(file: ArrayBuffer) => Promise<AudioBuffer>} decode
   * @param {() => number} rate at which sounds are decoded
   * @param {object} on
   * @param {(name: string) => void} on.changed It is there now, or no more.
   * @param {(name: string, why: string) => void} on.failed
   * @param {[string, number][]} uses how often sounds were needed in earlier visits
   * @param {typeof fetch} fetch
   * @param {typeof setTimeout} setTimer
   */
  constructor(
    decode,
    rate,
    on,
    uses = [],
    fetch = (...given) => globalThis.fetch(...given),
    setTimer = (...given) => globalThis.setTimeout(...given),
  ) {
    this.#decode = decode;
    this.#rate = rate;
    this.#on = on;
    this.#uses = new Map(uses);
    this.#fetch = fetch;
    this.#setTimer = setTimer;
  }

  /** The relay's bank is now `sounds`: drops what is gone, and loads the likeliest of what is missing,
   * `first` before all others. */
  use(sounds, first = []) {
    this.#sounds = new Map([...sounds].map((sound) => [sound.name, sound]));
    const known = new Set([...this.#sounds.values()].map(({ hash }) => hash));
    for (const hash of this.#buffers.keys()) if (!known.has(hash)) this.#buffers.delete(hash);
    this.#needed = this.#needed.filter((name) => this.#sounds.has(name));
    const uses = (name) => this.#uses.get(name) ?? 0;
    const rank = (name) => (first.includes(name) ? first.indexOf(name) : first.length);
    // The click that everyone waits for must not queue behind half a minute of texture.
    this.#ahead = [...this.#sounds.values()]
      .sort((a, b) => rank(a.name) - rank(b.name) || uses(b.name) - uses(a.name) || a.bytes - b.bytes)
      .map(({ name }) => name);
    this.#pump();
  }

  /** Whether the sound could be played at once. */
  isReady(name) {
    return this.#buffers.has(this.#sounds.get(name)?.hash);
  }

  /**
   * The sound, if it is there; if it is not, it is the next to be loaded.
   * @returns {AudioBuffer | undefined}
   */
  need(name) {
    const sound = this.#sounds.get(name);
    const kept = this.#buffers.get(sound?.hash);
    if (kept) {
      this.#buffers.delete(sound.hash);
      this.#buffers.set(sound.hash, kept);
      return kept.buffer;
    }
    if (sound && this.#needed[0] !== name) {
      this.#needed = [name, ...this.#needed.filter((other) => other !== name)];
      this.#pump();
    }
    return undefined;
  }

  /** Counts that the sound was banged: in the next visit it is loaded the sooner. */
  count(name) {
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
  }

  /** The sounds that were banged most often, with how often that was. @type {[string, number][]} */
  get uses() {
    return [...this.#uses].sort((a, b) => b[1] - a[1]).slice(0, MAX_USES);
  }

  #pump() {
    while (this.#loading.size < MAX_LOADING) {
      const sound = this.#nextNeeded() ?? this.#nextAhead();
      if (!sound) return;
      this.#load(sound);
    }
  }

  #nextNeeded() {
    this.#needed = this.#needed.filter((name) => !this.isReady(name));
    const sounds = this.#needed.map((name) => this.#sounds.get(name));
    return sounds.find((sound) => this.#isMissing(sound) && this.#makeRoom(sound));
  }

  #nextAhead() {
    for (let name = this.#ahead.shift(); name !== undefined; name = this.#ahead.shift()) {
      const sound = this.#sounds.get(name);
      const fits = this.#held + this.#sizeOf(sound) <= MAX_AHEAD_BYTES;
      if (fits && this.#isMissing(sound)) return sound;
    }
    return undefined;
  }

  #isMissing({ hash }) {
    return !this.#buffers.has(hash) && !this.#loading.has(hash) && !this.#resting.has(hash);
  }

  #sizeOf(sound) {
    return decodedBytes(sound, this.#rate());
  }

  /** Memory of all that is decoded, or will be. */
  get #held() {
    let held = 0;
    for (const { bytes } of this.#buffers.values()) held += bytes;
    for (const bytes of this.#loading.values()) held += bytes;
    return held;
  }

  /** Whether there is room for `sound`, once others have gone for it. */
  #makeRoom(sound) {
    const bytes = this.#sizeOf(sound);
    if (bytes > MAX_DECODED_BYTES) {
      this.#resting.add(sound.hash);
      const mebibytes = (count) => Math.ceil(count / 2 ** 20);
      const why = `it is too long: ${mebibytes(bytes)} MiB once decoded, and the page holds ${mebibytes(MAX_DECODED_BYTES)}`;
      this.#on.failed(sound.name, why);
      return false;
    }
    for (const hash of this.#buffers.keys()) {
      if (this.#held + bytes <= MAX_DECODED_BYTES) break;
      this.#buffers.delete(hash);
      for (const { name, hash: own } of this.#sounds.values()) if (own === hash) this.#on.changed(name);
    }
    // What is under way is waited for.
    return this.#held + bytes <= MAX_DECODED_BYTES;
  }

  async #load(sound) {
    const { name, hash } = sound;
    const bytes = this.#sizeOf(sound);
    this.#loading.set(hash, bytes);
    const isCurrent = () => this.#sounds.get(name)?.hash === hash;
    try {
      const response = await this.#fetch(`sounds/${hash}`);
      if (response.status === 429) throw new Busy();
      if (!response.ok) throw new Error(`the relay answered ${response.status}`);
      const buffer = await this.#decode(await response.arrayBuffer());
      if (isCurrent()) {
        this.#buffers.set(hash, { buffer, bytes });
        this.#on.changed(name);
      }
    } catch (error) {
      const isBusy = error instanceof Busy;
      // Of one that the bank no longer has, nobody needs to hear.
      if (!isBusy && isCurrent()) this.#on.failed(name, error.message);
      this.#resting.add(hash);
      this.#setTimer(() => this.#retry(name, hash), isBusy ? BUSY_MILLIS : RETRY_MILLIS);
    }
    this.#loading.delete(hash);
    this.#pump();
  }

  #retry(name, hash) {
    this.#resting.delete(hash);
    if (this.#sounds.get(name)?.hash === hash) this.#ahead.unshift(name);
    this.#pump();
  }
}
