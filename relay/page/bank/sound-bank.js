// The sound bank: fetches sounds from the relay by their hash, decodes them, and caches them within memory
// limits. The sounds most likely to be triggered are decoded ahead, the first of them alone; of the others the
// files are fetched ahead, and decoded on first use.
//
// Knows nothing of triggers or of playback times. A sound that fails to load is reported and retried
// later; it does not delay the others.

import { decodedBytes } from './decode.js';

/** Memory limit of decoded sounds, in bytes: what the browser of a phone grants a page before it kills it.
 * The least recently used sound is evicted, and fetched again on its next use. */
export const MAX_DECODED_BYTES = 256 * 2 ** 20;

/** Memory limit of sounds that are decoded ahead, and of the files of others. */
const MAX_PREFETCH_BYTES = 64 * 2 ** 20;
const MAX_FILE_BYTES = 64 * 2 ** 20;

/** Maximum number of concurrent loads. */
const MAX_LOADING = 4;

/** Delay before a failed load is retried, and after status 429 (too many requests), in ms. */
const RETRY_MILLIS = 5000;
const RATE_LIMITED_MILLIS = 1000;

/** Most names of sounds that cannot be played in a report. */
const MAX_MISSING = 16;

/** Number of sounds whose use counts are remembered between visits. */
const MAX_USES = 64;

class RateLimited extends Error {}

export class SoundBank {
  #decode;
  #rate;
  #on;
  #fetch;
  #setTimer;
  /** The relay's bank. @type {Map<string, {name: string, hash: string, bytes: number}>} */
  #sounds = new Map();
  /** Decoded sounds by hash, least recently used first. */
  #buffers = new Map();
  /** Files that are not decoded, by hash; null while one is on its way. @type {Map<string, ArrayBuffer | null>} */
  #files = new Map();
  /** Peaks by hash; they stay when a sound is evicted. @type {Map<string, Float32Array>} */
  #peaks = new Map();
  /** Running loads by hash, with the memory that they will take. @type {Map<string, number>} */
  #loading = new Map();
  /** Hashes of failed loads, until they are retried. */
  #failed = new Set();
  /** Names of requested sounds that are not loaded, most recent first. */
  #requested = [];
  /** Names of sounds to prefetch, most likely first. */
  #prefetch = [];
  /** The sound that is loaded before all others. @type {string | undefined} */
  #first;
  #uses;

  /**
   * @param {(file: ArrayBuffer) => Promise<{buffer: AudioBuffer, peaks: Float32Array}>} decode
   * @param {() => number} rate returns the rate to decode to
   * @param {object} on
   * @param {(name: string) => void} on.changed A sound was loaded or evicted.
   * @param {(name: string, reason: string) => void} on.failed
   * @param {[string, number][]} uses use counts of earlier visits
   * @param {typeof fetch} fetch
   * @param {typeof setTimeout} setTimer
   */
  constructor(
    decode,
    rate,
    on,
    uses = [],
    fetch = (...args) => globalThis.fetch(...args),
    setTimer = (...args) => globalThis.setTimeout(...args),
  ) {
    this.#decode = decode;
    this.#rate = rate;
    this.#on = on;
    this.#uses = new Map(uses);
    this.#fetch = fetch;
    this.#setTimer = setTimer;
  }

  /** Replaces the bank: drops sounds that are gone, and prefetches missing ones, `first` before others. */
  replace(sounds, first = []) {
    this.#sounds = new Map([...sounds].map((sound) => [sound.name, sound]));
    const known = new Set([...this.#sounds.values()].map(({ hash }) => hash));
    for (const held of [this.#buffers, this.#peaks, this.#files]) {
      for (const hash of held.keys()) if (!known.has(hash)) held.delete(hash);
    }
    this.#requested = this.#requested.filter((name) => this.#sounds.has(name));
    this.#first = first.find((name) => this.#sounds.has(name));
    const uses = (name) => this.#uses.get(name) ?? 0;
    const rank = (name) => (first.includes(name) ? first.indexOf(name) : first.length);
    // A short click must not queue behind half a minute of texture.
    this.#prefetch = [...this.#sounds.values()]
      .sort((a, b) => rank(a.name) - rank(b.name) || uses(b.name) - uses(a.name) || a.bytes - b.bytes)
      .map(({ name }) => name);
    this.#loadNext();
  }

  /** The output has another rate: what is decoded is decoded again. */
  rateChanged() {
    this.#buffers.clear();
    for (const name of this.#sounds.keys()) this.#on.changed(name);
    this.#prefetch = [...this.#sounds.keys()];
    this.#loadNext();
  }

  /** How many sounds can be played without the relay, and the names of some others. */
  get standing() {
    const isThere = ({ hash }) => this.#buffers.has(hash) || (this.#files.get(hash) ?? null) !== null;
    const missing = [...this.#sounds.values()].filter((sound) => !isThere(sound)).map(({ name }) => name);
    return { ready: this.#sounds.size - missing.length, missing: missing.slice(0, MAX_MISSING) };
  }

  /** Whether the sound is loaded. */
  isReady(name) {
    return this.#buffers.has(this.#sounds.get(name)?.hash);
  }

  /** The peaks of the sound; undefined if it was never loaded. @returns {Float32Array | undefined} */
  peaks(name) {
    return this.#peaks.get(this.#sounds.get(name)?.hash);
  }

  /**
   * The sound if it is loaded; if not, it is loaded next.
   * @returns {AudioBuffer | undefined}
   */
  request(name) {
    const sound = this.#sounds.get(name);
    const cached = this.#buffers.get(sound?.hash);
    if (cached) {
      this.#buffers.delete(sound.hash);
      this.#buffers.set(sound.hash, cached);
      return cached.buffer;
    }
    if (sound && this.#requested[0] !== name) {
      this.#requested = [name, ...this.#requested.filter((other) => other !== name)];
      this.#loadNext();
    }
    return undefined;
  }

  /** Prefetches these sounds before others: they are in sight. @param {string[]} names */
  prefer(names) {
    const first = new Set(names.filter((name) => this.#sounds.has(name)));
    this.#prefetch = [...first, ...this.#prefetch.filter((name) => !first.has(name))];
    this.#loadNext();
  }

  /** Counts a use of the sound: the most used ones are prefetched. */
  countUse(name) {
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
  }

  /** The most used sounds with their counts. @type {[string, number][]} */
  get uses() {
    return [...this.#uses].sort((a, b) => b[1] - a[1]).slice(0, MAX_USES);
  }

  #loadNext() {
    while (this.#loading.size < MAX_LOADING) {
      const requested = this.#nextRequested();
      if (requested) {
        this.#load(requested, true);
        continue;
      }
      // On a slow network, the first sound has it for itself.
      if (this.#loading.has(this.#sounds.get(this.#first)?.hash)) return;
      const sound = this.#nextPrefetch();
      if (!sound) return;
      this.#load(sound, this.#fitsAhead(sound));
    }
  }

  #nextRequested() {
    this.#requested = this.#requested.filter((name) => !this.isReady(name));
    const sounds = this.#requested.map((name) => this.#sounds.get(name));
    return sounds.find((sound) => this.#isMissing(sound) && this.#evictFor(sound));
  }

  #nextPrefetch() {
    for (let name = this.#prefetch.shift(); name !== undefined; name = this.#prefetch.shift()) {
      const sound = this.#sounds.get(name);
      if (!sound || !this.#isMissing(sound)) continue;
      if (this.#fitsAhead(sound)) return sound;
      const isPlayable = this.#sizeOf(sound) <= MAX_DECODED_BYTES;
      if (!isPlayable || this.#files.has(sound.hash)) continue;
      if (this.#fileBytes + sound.bytes <= MAX_FILE_BYTES) return sound;
    }
    return undefined;
  }

  /** Whether it can be decoded ahead. */
  #fitsAhead(sound) {
    return this.#usedBytes + this.#sizeOf(sound) <= MAX_PREFETCH_BYTES;
  }

  /** Memory of files that are not decoded. */
  get #fileBytes() {
    return [...this.#sounds.values()].reduce((sum, { hash, bytes }) => sum + (this.#files.has(hash) ? bytes : 0), 0);
  }

  #isMissing({ hash }) {
    return !this.#buffers.has(hash) && !this.#loading.has(hash) && !this.#failed.has(hash);
  }

  #sizeOf(sound) {
    return decodedBytes(sound, this.#rate());
  }

  /** Memory of loaded sounds and running loads. */
  get #usedBytes() {
    let used = 0;
    for (const { bytes } of this.#buffers.values()) used += bytes;
    for (const bytes of this.#loading.values()) used += bytes;
    return used;
  }

  /** Evicts sounds until `sound` fits; false if it does not fit yet, or never. */
  #evictFor(sound) {
    const bytes = this.#sizeOf(sound);
    if (bytes > MAX_DECODED_BYTES) {
      this.#failed.add(sound.hash);
      const mebibytes = (count) => Math.ceil(count / 2 ** 20);
      const reason = `it takes ${mebibytes(bytes)} MiB once decoded; the limit is ${mebibytes(MAX_DECODED_BYTES)} MiB`;
      this.#on.failed(sound.name, reason);
      return false;
    }
    for (const hash of this.#buffers.keys()) {
      if (this.#usedBytes + bytes <= MAX_DECODED_BYTES) break;
      this.#buffers.delete(hash);
      for (const { name, hash: own } of this.#sounds.values()) if (own === hash) this.#on.changed(name);
    }
    // Running loads cannot be evicted: the sound waits for them.
    return this.#usedBytes + bytes <= MAX_DECODED_BYTES;
  }

  /** Fetches a sound, and decodes it now or keeps its file for later. */
  async #load(sound, decodes) {
    const { name, hash } = sound;
    const bytes = decodes ? this.#sizeOf(sound) : 0;
    this.#loading.set(hash, bytes);
    if (!decodes) this.#files.set(hash, null);
    const isCurrent = () => this.#sounds.get(name)?.hash === hash;
    try {
      // The worker takes the file away: a copy of it stays.
      const kept = this.#files.get(hash)?.slice(0);
      const file = kept ?? (await this.#fetchFile(hash));
      if (!decodes) {
        if (isCurrent()) this.#files.set(hash, file);
        else this.#files.delete(hash);
      } else {
        const { buffer, peaks } = await this.#decode(file);
        if (isCurrent()) {
          this.#buffers.set(hash, { buffer, bytes });
          this.#peaks.set(hash, peaks);
          this.#on.changed(name);
        }
      }
    } catch (error) {
      const isRateLimited = error instanceof RateLimited;
      // A sound that has left the bank is not reported.
      if (!isRateLimited && isCurrent()) this.#on.failed(name, error.message);
      this.#failed.add(hash);
      this.#files.delete(hash);
      this.#setTimer(() => this.#retry(name, hash), isRateLimited ? RATE_LIMITED_MILLIS : RETRY_MILLIS);
    }
    this.#loading.delete(hash);
    this.#loadNext();
  }

  async #fetchFile(hash) {
    const response = await this.#fetch(`sounds/${hash}`);
    if (response.status === 429) throw new RateLimited();
    if (!response.ok) throw new Error(`the relay answered ${response.status}`);
    return response.arrayBuffer();
  }

  #retry(name, hash) {
    this.#failed.delete(hash);
    if (this.#sounds.get(name)?.hash === hash) this.#prefetch.unshift(name);
    this.#loadNext();
  }
}
