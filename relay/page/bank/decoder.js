// Decodes files in a worker, decode-worker.js.

export class Decoder {
  #worker = null;
  #lastId = 0;
  /** Promises of running jobs, by id. */
  #pending = new Map();

  /**
   * @param {ArrayBuffer} file transferred: detached afterwards
   * @param {number} rate in Hz
   * @returns {Promise<{channels: Float32Array[], peaks: Float32Array}>}
   */
  decode(file, rate) {
    this.#worker ??= this.#start();
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, file, rate }, [file]);
    });
  }

  #start() {
    const worker = new Worker(new URL('decode-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data: { id, channels, peaks, problem } }) => {
      const { resolve, reject } = this.#pending.get(id);
      this.#pending.delete(id);
      if (problem === undefined) resolve({ channels, peaks });
      else reject(new Error(problem));
    };
    // It failed to load or ran out of memory: rejects all jobs; the next one starts another worker.
    worker.onerror = ({ message }) => {
      worker.terminate();
      this.#worker = null;
      for (const { reject } of this.#pending.values()) {
        reject(new Error(message || 'the browser cannot decode it'));
      }
      this.#pending.clear();
    };
    return worker;
  }
}
