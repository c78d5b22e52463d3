// Sends the values of a moved fader: at most so many a second, and always the last one.
//
// Of the values in between, the latest one waits. What waits is bounded: one value for each variable.

/** Minimum interval between two values of a variable, in ms: the relay thins streams at the same rate. */
export const INTERVAL_MILLIS = 20;

/** Streams kept; more than a room has variables. Of more, those in which nothing waits are forgotten. */
const MAX_STREAMS = 1024;

export class SetStream {
  #send;
  #now;
  #setTimer;
  /** By variable: when the last value was sent, and the request that waits. */
  #streams = new Map();

  /**
   * @param {(request: object) => void} send
   * @param {() => number} now in ms
   * @param {typeof setTimeout} setTimer
   */
  constructor(send, now = () => performance.now(), setTimer = (...args) => globalThis.setTimeout(...args)) {
    this.#send = send;
    this.#now = now;
    this.#setTimer = setTimer;
  }

  /** Sends a request to set a variable, or keeps it until its turn. */
  set(request) {
    const stream = this.#streams.get(request.name) ?? { sentAt: -Infinity, waiting: null };
    if (this.#streams.size >= MAX_STREAMS) this.#forgetIdle();
    this.#streams.set(request.name, stream);
    const wait = stream.sentAt + INTERVAL_MILLIS - this.#now();
    if (stream.waiting === null && wait <= 0) {
      this.#sendNow(stream, request);
    } else if (stream.waiting === null) {
      stream.waiting = request;
      this.#setTimer(() => this.#sendNow(stream, stream.waiting), wait);
    } else {
      stream.waiting = request;
    }
  }

  #forgetIdle() {
    for (const [name, { waiting }] of this.#streams) if (waiting === null) this.#streams.delete(name);
  }

  #sendNow(stream, request) {
    stream.waiting = null;
    stream.sentAt = this.#now();
    this.#send(request);
  }
}
