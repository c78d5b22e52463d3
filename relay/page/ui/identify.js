// The whole screen shows which machine this is, so that a person finds it in the room.
//
// It flashes within the limit of all flashes; with prefers-reduced-motion it is there, and does not flash.

import { element, setText } from './dom.js';

/** How long it is shown, the time between two flashes, and the duration of one before it fades, in ms. */
const SHOWN_MILLIS = 2000;
const INTERVAL_MILLIS = 500;
const FLASH_MILLIS = 120;

export class Identify {
  #cover = element('identify');
  #flashLimit;
  #timers = [];

  /** @param {import('./flash-limit.js').FlashLimit} flashLimit */
  constructor(flashLimit) {
    this.#flashLimit = flashLimit;
  }

  /**
   * @param {string} name of this machine
   * @param {number | undefined} seat
   * @param {string} by who looks for it
   */
  show(name, seat, by) {
    this.#clear();
    setText(element('identify-seat'), seat ? String(seat) : '');
    setText(element('identify-name'), name);
    setText(element('identify-by'), `${by} is looking for this machine`);
    this.#cover.hidden = false;
    for (let at = 0; at < SHOWN_MILLIS; at += INTERVAL_MILLIS) this.#after(at, () => this.#flash());
    this.#after(SHOWN_MILLIS, () => this.#clear());
  }

  #flash() {
    if (!this.#flashLimit.allows(performance.now())) return;
    this.#cover.classList.add('flash');
    this.#after(FLASH_MILLIS, () => this.#cover.classList.remove('flash'));
  }

  #after(millis, run) {
    this.#timers.push(setTimeout(run, millis));
  }

  #clear() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#cover.classList.remove('flash');
    this.#cover.hidden = true;
  }
}
