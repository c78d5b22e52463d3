// Applies values of variables at their instants: to what sounds, through the scheduler, which knows them
// ahead; and to what is shown, when they take effect.

/** Longest sleep until the next value, in ms: the clock's estimate of its instant becomes more exact. */
const MAX_SLEEP_MILLIS = 1000;

export class VariableWatch {
  #variables;
  #room;
  #clock;
  #scheduler;
  #ui;
  #now;
  #setTimer;
  #clearTimer;
  #timer = null;

  /**
   * @param {object} parts
   * @param {import('../state/variables.js').Variables} parts.variables
   * @param {import('../state/room.js').Room} parts.room
   * @param {import('../clock/estimator.js').ClockEstimator} parts.clock
   * @param {import('./voice-scheduler.js').VoiceScheduler} parts.scheduler
   * @param {import('../ui/ui.js').Ui} parts.ui
   * @param {() => number} parts.now local time, in µs
   * @param {typeof setTimeout} [parts.setTimer]
   * @param {typeof clearTimeout} [parts.clearTimer]
   */
  constructor(parts) {
    this.#variables = parts.variables;
    this.#room = parts.room;
    this.#clock = parts.clock;
    this.#scheduler = parts.scheduler;
    this.#ui = parts.ui;
    this.#now = parts.now;
    this.#setTimer = parts.setTimer ?? ((...args) => globalThis.setTimeout(...args));
    this.#clearTimer = parts.clearTimer ?? ((timer) => globalThis.clearTimeout(timer));
  }

  /** Whether a variable has one value for each machine. */
  isPerMachine(name) {
    return this.#variables.get(name)?.scope === 'machine';
  }

  /** Takes the variables of a welcome. */
  welcome(message, isNewEpoch) {
    this.#variables.welcome(message, isNewEpoch, this.#room.address);
    this.#show();
  }

  /** Variables were declared or removed. */
  change(message) {
    this.#variables.change(message);
    this.#show();
  }

  /** Takes a value, which takes effect at its instant. */
  value(message) {
    if (!this.#variables.value(message, this.#room.address)) return;
    this.#scheduler.followVariables();
    this.advance();
  }

  /** Shows the values that have taken effect, and waits for the next one. */
  advance() {
    this.#clearTimer(this.#timer);
    const estimate = this.#clock.estimate();
    if (!estimate) return;
    const localMicros = this.#now();
    for (const { name, value, by } of this.#variables.advance(estimate.relayAt(localMicros))) {
      this.#ui.showValue(name, value, by !== null && by === this.#room.id);
    }
    const { nextAt } = this.#variables;
    if (nextAt === Infinity) return;
    const wait = (estimate.localAt(nextAt) - localMicros) / 1000;
    this.#timer = this.#setTimer(() => this.advance(), Math.min(MAX_SLEEP_MILLIS, Math.max(0, wait)));
  }

  #show() {
    this.#ui.showVariables(this.#variables.declared, (name) => this.#variables.valueOf(name));
    this.#scheduler.followVariables();
    this.advance();
  }
}
