// The level meters: around the bang button, and beside it where that is a bar.

import { element } from './dom.js';

/** The lowest level shown, in dB below full scale. */
const FLOOR_DB = -48;

/** Ticks of the meter, as bang.css draws them. */
const TICKS = 60;

/** How far the meter falls per animation frame. */
const FALL = 0.025;

export class LevelMeter {
  #isRunning = false;
  #level = 0;

  /**
   * Animates the meter as long as something sounds.
   * @param {() => number} peak 0 to 1
   * @param {() => boolean} isSounding
   */
  run(peak, isSounding) {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const frame = () => {
      const decibels = 20 * Math.log10(Math.max(peak(), 1e-6));
      const level = Math.min(1, Math.max(0, 1 - decibels / FLOOR_DB));
      this.#level = Math.max(level, this.#level - FALL);
      const lit = Math.round(this.#level * TICKS) / TICKS;
      element('meter-arc').style.strokeDasharray = `${lit * 100} 100`;
      element('meter-bar').style.setProperty('--level', String(lit));
      this.#isRunning = this.#level > 0 || isSounding();
      if (this.#isRunning) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }
}
