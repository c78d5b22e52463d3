// Requests that the relay answers: numbers them, and calls back with the answer.
//
// The relay may leave a request unanswered that it has done, if its disk fails; so nothing may wait for an
// answer without an end. Open requests are bounded: of more, the oldest is forgotten.

/** Most requests whose answer is awaited. */
const MAX_OPEN = 512;

/**
 * @typedef {object} Answers
 * @property {() => void} [done] It is done.
 * @property {(path: string) => void} [ready] An upload can be sent to this path.
 * @property {(error: {code: string, message: string}) => void} [refused]
 * @property {() => void} [lost] The connection was lost before an answer came.
 */

export class Requests {
  #send;
  #last = 0;
  /** @type {Map<number, Answers>} */
  #open = new Map();

  /** @param {(message: object) => boolean} send */
  constructor(send) {
    this.#send = send;
  }

  /** A number that no other request has. */
  number() {
    this.#last += 1;
    return this.#last;
  }

  /**
   * Sends a request. @param {object} message @param {Answers} answers
   * @returns {boolean} whether it was sent; if not, nothing is called back
   */
  send(message, answers = {}) {
    const ack = this.number();
    if (!this.#send({ ...message, ack })) return false;
    this.#open.set(ack, answers);
    if (this.#open.size > MAX_OPEN) this.#open.delete(this.#open.keys().next().value);
    return true;
  }

  /** The relay has done a request. */
  acked(ack) {
    this.#take(ack)?.done?.();
  }

  /** A file can be sent. */
  ready(ack, path) {
    this.#take(ack)?.ready?.(path);
  }

  /** The relay refused a request. @returns {boolean} whether whoever sent it handles that */
  refused({ ack, code, message }) {
    const answers = this.#take(ack);
    answers?.refused?.({ code, message });
    return answers?.refused !== undefined;
  }

  /** The connection is lost: no answer comes any more. */
  disconnected() {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { lost } of open) lost?.();
  }

  #take(ack) {
    const answers = this.#open.get(ack);
    this.#open.delete(ack);
    return answers;
  }
}
