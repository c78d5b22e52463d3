// Answers each trigger that is for this machine: that it sounded, how late, or why not.
//
// What sounds on time is collected for a while, everything else is sent soon. A trigger that has not started
// shortly after its instant is answered with the reason, once; joining it later changes no answer.

/** How long an answer waits for others, in ms: one on time, and any other. */
const ON_TIME_MILLIS = 1500;
const SOON_MILLIS = 60;

/** How long after its instant a trigger counts as missed, in ms. */
const GRACE_MILLIS = 150;

/** The same where relay time is unknown: from the arrival. */
const BLIND_MILLIS = 200;

/** Most answers in one message, as the protocol allows. */
const MAX_OUTCOMES = 64;

/** Most triggers that wait for their instant or to be sent. Of more, the oldest gets no answer. */
const MAX_WAITING = 512;

export class Outcomes {
  #send;
  #whyNot;
  #setTimer;
  #clearTimer;
  /** Triggers that are for this machine and not yet answered, with the timers that give up on them. */
  #open = new Map();
  #answers = [];
  #timer = null;
  #dueMillis = Infinity;

  /**
   * @param {(message: object) => boolean} send
   * @param {(trigger: object) => string | null} whyNot why a trigger has not sounded by now; null if it was
   *   stopped before
   * @param {typeof setTimeout} setTimer
   * @param {typeof clearTimeout} clearTimer
   */
  constructor(
    send,
    whyNot,
    setTimer = (...args) => globalThis.setTimeout(...args),
    clearTimer = (timer) => globalThis.clearTimeout(timer),
  ) {
    this.#send = send;
    this.#whyNot = whyNot;
    this.#setTimer = setTimer;
    this.#clearTimer = clearTimer;
  }

  /** A trigger is for this machine. @param {number | null} inMillis until its instant; null if unknown */
  expect(trigger, inMillis) {
    const wait = inMillis === null ? BLIND_MILLIS : Math.max(0, inMillis) + GRACE_MILLIS;
    this.#open.set(trigger.seq, this.#setTimer(() => this.#giveUp(trigger), wait));
    if (this.#open.size <= MAX_WAITING) return;
    const [oldest, timer] = this.#open.entries().next().value;
    this.#clearTimer(timer);
    this.#open.delete(oldest);
  }

  /** A trigger sounds. */
  sounded(seq, latenessMicros) {
    if (!this.#close(seq)) return;
    const isOnTime = latenessMicros === 0;
    this.#answer(isOnTime ? { seq } : { seq, lateness_micros: latenessMicros }, isOnTime);
  }

  /** A trigger does not sound. */
  missed(seq, reason) {
    if (this.#close(seq)) this.#answer({ seq, missed: reason }, false);
  }

  /** Another connection: the relay does not wait for these answers any more. */
  reset() {
    for (const timer of this.#open.values()) this.#clearTimer(timer);
    this.#open.clear();
    this.#answers = [];
    this.#clearTimer(this.#timer);
    this.#dueMillis = Infinity;
  }

  #close(seq) {
    this.#clearTimer(this.#open.get(seq));
    return this.#open.delete(seq);
  }

  #giveUp(trigger) {
    const reason = this.#whyNot(trigger);
    if (reason === null) this.#close(trigger.seq);
    else this.missed(trigger.seq, reason);
  }

  #answer(answer, isOnTime) {
    this.#answers = [...this.#answers, answer].slice(-MAX_WAITING);
    if (this.#answers.length >= MAX_OUTCOMES) return this.#flush();
    const wait = isOnTime ? ON_TIME_MILLIS : SOON_MILLIS;
    if (wait >= this.#dueMillis) return;
    // An answer on time that waits already goes out with an urgent one.
    this.#clearTimer(this.#timer);
    this.#dueMillis = wait;
    this.#timer = this.#setTimer(() => this.#flush(), wait);
  }

  #flush() {
    this.#clearTimer(this.#timer);
    this.#dueMillis = Infinity;
    while (this.#answers.length > 0) {
      const outcomes = this.#answers.slice(0, MAX_OUTCOMES);
      if (!this.#send({ type: 'outcomes', outcomes })) break;
      this.#answers = this.#answers.slice(MAX_OUTCOMES);
    }
    this.#answers = [];
  }
}
