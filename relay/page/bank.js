// The sounds, fetched from the relay by their hash and decoded ahead of time.
//
// Knows nothing of triggers or of when a sound is played. A sound that cannot be had is said once
// and tried again later; the others are not kept waiting.

/** Wait before a sound that could not be had is tried again, in ms. */
const RETRY_MILLIS = 5000;

export class Bank {
  #decode;
  #fetch;
  #setTimer;
  #on;
  /** Decoded sounds by hash. @type {Map<string, AudioBuffer>} */
  #buffers = new Map();
  /** Hashes under way or waiting to be tried again. @type {Set<string>} */
  #pending = new Set();
  /** The names that the relay's bank has now, with their hashes. @type {Map<string, string>} */
  #hashes = new Map();

  /**
   * @param {(bytes: ArrayBuffer) => Promise<AudioBuffer>} decode
   * @param {object} on
   * @param {(name: string) => void} on.loaded
   * @param {(name: string, why: string) => void} on.failed
   * @param {typeof fetch} fetch
   * @param {typeof setTimeout} setTimer
   */
  constructor(
    decode,
    on,
    fetch = (...given) => globalThis.fetch(...given),
    setTimer = (...given) => globalThis.setTimeout(...given),
  ) {
    this.#decode = decode;
    this.#on = on;
    this.#fetch = fetch;
    this.#setTimer = setTimer;
  }

  /** The relay's bank is now `sounds`: gets what is missing, smallest first, and drops the rest. */
  use(sounds) {
    this.#hashes = new Map([...sounds].map(({ name, hash }) => [name, hash]));
    const known = new Set(this.#hashes.values());
    for (const hash of this.#buffers.keys()) if (!known.has(hash)) this.#buffers.delete(hash);
    // The click that everyone waits for must not queue behind half a minute of texture.
    for (const sound of [...sounds].sort((a, b) => a.bytes - b.bytes)) this.#get(sound);
  }

  /** @returns {AudioBuffer | undefined} the sound, if it is there */
  buffer(name) {
    return this.#buffers.get(this.#hashes.get(name));
  }

  async #get({ name, hash }) {
    if (this.#buffers.has(hash) || this.#pending.has(hash)) return;
    this.#pending.add(hash);
    try {
      const response = await this.#fetch(`sounds/${hash}`);
      if (!response.ok) throw new Error(`the relay answered ${response.status}`);
      const buffer = await this.#decode(await response.arrayBuffer());
      this.#pending.delete(hash);
      if (this.#hashes.get(name) !== hash) return;
      this.#buffers.set(hash, buffer);
      this.#on.loaded(name);
    } catch (error) {
      // Of one that the bank no longer has, nobody needs to hear.
      if (this.#hashes.get(name) === hash) this.#on.failed(name, error.message);
      this.#setTimer(() => {
        this.#pending.delete(hash);
        if (this.#hashes.get(name) === hash) this.#get({ name, hash });
      }, RETRY_MILLIS);
    }
  }
}
