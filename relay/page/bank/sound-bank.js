// The sound bank: fetches sounds from the relay by their hash, decodes them, and caches them within a
// memory limit. The sounds most likely to be triggered are prefetched, the others loaded on first use.
//
// Knows nothing of triggers or of playback times. A sound that fails to load is reported and retried
// later; it does not delay the others.

import { decodedBytes } from './decode.js';

/** Memory limit of decoded sounds, in bytes: what the browser of a phone grants a page before it kills it.
 * The least recently used sound is evicted, and fetched again on its next use. */
export const MAX_DECODED_BYTES = 256 * 2 ** 20;

/** Memory limit of prefetched sounds. */
const MAX_PREFETCH_BYTES = 64 * 2 ** 20;

/** Maximum number of concurrent loads. */
const MAX_LOADING = 4;

/** Delay before a failed load is retried, and after status 429 (too many requests), in ms. */
const RETRY_MILLIS = 5000;
const RATE_LIMITED_MILLIS = 1000;

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
    for (const held of [this.#buffers, this.#peaks]) {
      for (const hash of held.keys()) if (!known.has(hash)) held.delete(hash);
    }
    this.#requested = this.#requested.filter((name) => this.#sounds.has(name));
    const uses = (name) => this.#uses.get(name) ?? 0;
    const rank = (name) => (first.includes(name) ? first.indexOf(name) : first.length);
    // A short click must not queue behind half a minute of texture.
    this.#prefetch = [...this.#sounds.values()]
      .sort((a, b) => rank(a.name) - rank(b.name) || uses(b.name) - uses(a.name) || a.bytes - b.bytes)
      .map(({ name }) => name);
    this.#loadNext();
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
      const sound = this.#nextRequested() ?? this.#nextPrefetch();
      if (!sound) return;
      this.#load(sound);
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
      const fits = this.#usedBytes + this.#sizeOf(sound) <= MAX_PREFETCH_BYTES;
      if (fits && this.#isMissing(sound)) return sound;
    }
    return undefined;
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

  async #load(sound) {
    const { name, hash } = sound;
    const bytes = this.#sizeOf(sound);
    this.#loading.set(hash, bytes);
    const isCurrent = () => this.#sounds.get(name)?.hash === hash;
    try {
      const response = await this.#fetch(`sounds/${hash}`);
      if (response.status === 429) throw new RateLimited();
      if (!response.ok) throw new Error(`the relay answered ${response.status}`);
      const { buffer, peaks } = await this.#decode(await response.arrayBuffer());
      if (isCurrent()) {
        this.#buffers.set(hash, { buffer, bytes });
        this.#peaks.set(hash, peaks);
        this.#on.changed(name);
      }
    } catch (error) {
      const isRateLimited = error instanceof RateLimited;
      // A sound that has left the bank is not reported.
      if (!isRateLimited && isCurrent()) this.#on.failed(name, error.message);
      this.#failed.add(hash);
      this.#setTimer(() => this.#retry(name, hash), isRateLimited ? RATE_LIMITED_MILLIS : RETRY_MILLIS);
    }
    this.#loading.delete(hash);
    this.#loadNext();
  }

  #retry(name, hash) {
    this.#failed.delete(hash);
    if (this.#sounds.get(name)?.hash === hash) this.#prefetch.unshift(name);
    this.#loadNext();
  }
}
