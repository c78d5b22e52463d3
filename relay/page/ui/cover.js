// The cover over the instrument: asks for the gesture that the audio needs.

import { element } from './dom.js';

export class Cover {
  #needsTouch = false;
  #isBlocked;
  #onUncover;

  /**
   * @param {() => void} onTouch
   * @param {() => boolean} isBlocked whether something else takes the place of the cover
   * @param {() => void} onUncover
   */
  constructor(onTouch, isBlocked, onUncover) {
    this.#isBlocked = isBlocked;
    this.#onUncover = onUncover;
    element('start').addEventListener('click', () => onTouch());
  }

  /** Covers the instrument until a gesture has started the audio. */
  ask(text, reason) {
    element('start-text').textContent = text;
    element('start-reason').textContent = reason;
    this.#needsTouch = true;
    this.refresh();
  }

  /** The audio is running. */
  remove() {
    this.#needsTouch = false;
    this.refresh();
  }

  /** Shows or hides the cover. */
  refresh() {
    const start = element('start');
    const covers = this.#needsTouch && !this.#isBlocked();
    if (start.hidden === !covers) return;
    start.hidden = !covers;
    element('page').inert = covers;
    if (covers) start.focus({ preventScroll: true });
    else if (!this.#isBlocked()) this.#onUncover();
  }
}
