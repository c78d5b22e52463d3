// Lights the pad of each trigger when it is heard, whoever pressed it and wherever it sounds.
//
// What sounds here is lit by its voice; this module waits for what sounds on other machines only.

/** Most triggers that wait for their instant; of more, the others are not lit. */
const MAX_WAITING = 256;

export class Lights {
  #light;
  #now;
  #setTimer;
  #clearTimer;
  /** By sequence number: the trigger, and its timer. */
  #waiting = new Map();

  /**
   * @param {(sound: string) => void} light
   * @param {() => number} now local time, in µs
   */
  constructor(
    light,
    now,
    setTimer = (...args) => globalThis.setTimeout(...args),
    clearTimer = (timer) => globalThis.clearTimeout(timer),
  ) {
    this.#light = light;
    this.#now = now;
    this.#setTimer = setTimer;
    this.#clearTimer = clearTimer;
  }

  /** A trigger sounds elsewhere at a local time, in µs. */
  wait(trigger, heardAtMicros) {
    if (this.#waiting.size >= MAX_WAITING || this.#waiting.has(trigger.seq)) return;
    const show = () => {
      this.#waiting.delete(trigger.seq);
      this.#light(trigger.sound);
    };
    const timer = this.#setTimer(show, Math.max(0, (heardAtMicros - this.#now()) / 1000));
    this.#waiting.set(trigger.seq, { trigger, timer });
  }

  /** A stop cancels what has not begun by then. */
  stop(stop) {
    for (const [seq, { trigger, timer }] of this.#waiting) {
      const isMeant =
        seq < stop.seq &&
        (stop.trigger === undefined || stop.trigger === seq) &&
        (stop.sound === undefined || stop.sound === trigger.sound);
      if (!isMeant || trigger.play_at < stop.stop_at) continue;
      this.#clearTimer(timer);
      this.#waiting.delete(seq);
    }
  }

  /** Another epoch: nothing that was announced happens. */
  clear() {
    for (const { timer } of this.#waiting.values()) this.#clearTimer(timer);
    this.#waiting.clear();
  }
}
