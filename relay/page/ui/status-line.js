// The one line in which the page speaks: a notice that stands as long as it is true, and messages that
// cover it for some seconds and then let it be seen again.

/** How long a message stays, in ms. */
const MESSAGE_MILLIS = 6000;

/** @typedef {{words: string, level: 'warn' | 'bad'}} Said */

export class Messages {
  #show;
  #setTimer;
  #clearTimer;
  /** @type {Said | null} */
  #notice = null;
  /** The words that cover it; null if none do. */
  #covering = null;
  #timer = null;

  /**
   * @param {(said: Said | null) => void} show
   * @param {typeof setTimeout} setTimer
   * @param {typeof clearTimeout} clearTimer
   */
  constructor(
    show,
    setTimer = (...given) => globalThis.setTimeout(...given),
    clearTimer = (timer) => globalThis.clearTimeout(timer),
  ) {
    this.#show = show;
    this.#setTimer = setTimer;
    this.#clearTimer = clearTimer;
  }

  /** Says something that has just happened. */
  say(words, level = 'warn') {
    this.#covering = words;
    this.#show({ words, level });
    this.#clearTimer(this.#timer);
    this.#timer = this.#setTimer(() => this.#uncover(), MESSAGE_MILLIS);
  }

  /** What was said is true no more. */
  takeBack(words) {
    if (words === this.#covering) this.#uncover();
  }

  /** Says how things stand from now on, `null` that all is well again. Takes back all messages. */
  notice(words, level = 'bad') {
    if (words === null ? this.#notice === null : this.#notice?.words === words) return;
    this.#notice = words === null ? null : { words, level };
    this.#uncover();
  }

  #uncover() {
    this.#clearTimer(this.#timer);
    this.#timer = null;
    this.#covering = null;
    this.#show(this.#notice);
  }
}
