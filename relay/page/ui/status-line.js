// The status line: shows the lasting status, and notifications that cover it for some seconds.

/** How long a notification stays, in ms. */
const NOTIFICATION_MILLIS = 6000;

/** @typedef {{text: string, level: 'warn' | 'bad'}} Shown */

export class StatusLine {
  #show;
  #setTimer;
  #clearTimer;
  /** @type {Shown | null} */
  #status = null;
  /** The text of the notification that covers the status; null if there is none. */
  #notification = null;
  #timer = null;

  /**
   * @param {(shown: Shown | null) => void} show
   * @param {typeof setTimeout} setTimer
   * @param {typeof clearTimeout} clearTimer
   */
  constructor(
    show,
    setTimer = (...args) => globalThis.setTimeout(...args),
    clearTimer = (timer) => globalThis.clearTimeout(timer),
  ) {
    this.#show = show;
    this.#setTimer = setTimer;
    this.#clearTimer = clearTimer;
  }

  /** Shows an event for some seconds. */
  notify(text, level = 'warn') {
    this.#notification = text;
    this.#show({ text, level });
    this.#clearTimer(this.#timer);
    this.#timer = this.#setTimer(() => this.#endNotification(), NOTIFICATION_MILLIS);
  }

  /** Ends the notification with this text: it no longer applies. */
  dismiss(text) {
    if (text === this.#notification) this.#endNotification();
  }

  /** Sets the lasting status; `null` if all is well. Ends a notification. */
  setStatus(text, level = 'bad') {
    if (text === null ? this.#status === null : this.#status?.text === text) return;
    this.#status = text === null ? null : { text, level };
    this.#endNotification();
  }

  #endNotification() {
    this.#clearTimer(this.#timer);
    this.#timer = null;
    this.#notification = null;
    this.#show(this.#status);
  }
}
