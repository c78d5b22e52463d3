// Keeps the audio output running: starts it on a gesture, asks for another gesture when the browser or
// the system has stopped it, and takes the readings for the output clock.

import { READING_MILLIS } from '../audio/output-clock.js';

export class OutputWatch {
  #audio;
  #scheduler;
  #bank;
  #reporter;
  #ui;
  #hasStarted = false;

  /**
   * @param {object} parts
   * @param {import('../audio/audio-output.js').AudioOutput} parts.audio
   * @param {import('./voice-scheduler.js').VoiceScheduler} parts.scheduler
   * @param {import('../bank/sound-bank.js').SoundBank} parts.bank
   * @param {import('./reporter.js').Reporter} parts.reporter
   * @param {import('../ui/ui.js').Ui} parts.ui
   */
  constructor({ audio, scheduler, bank, reporter, ui }) {
    this.#audio = audio;
    this.#scheduler = scheduler;
    this.#bank = bank;
    this.#reporter = reporter;
    this.#ui = ui;
  }

  /** Takes readings from now on. */
  run() {
    setInterval(() => this.#read(), READING_MILLIS);
  }

  /** Starts the audio; must be called from a user gesture. */
  async start() {
    this.#hasStarted = true;
    try {
      await this.#audio.resume();
    } catch (error) {
      this.#ui.askForTouch('Tap again', `The browser blocked the audio: ${error.message}`);
    }
    this.stateChanged();
  }

  /** Closes the output and opens it again. */
  restart() {
    const rate = this.#audio.sampleRate;
    this.#scheduler.restart();
    this.#audio.restart();
    if (this.#audio.sampleRate !== rate) this.#bank.rateChanged();
    if (this.#hasStarted) this.start();
  }

  /** The page is visible again. Most browsers allow the audio to resume without another gesture. */
  pageShown() {
    if (this.#hasStarted && !this.#audio.running) this.#audio.resume().catch(() => {});
  }

  /** The state of the audio context has changed. */
  stateChanged() {
    this.#scheduler.outputChanged();
    if (!this.#hasStarted) return;
    if (this.#audio.running) {
      this.#ui.touched();
      return;
    }
    const reason = this.#audio.interrupted
      ? 'A call or another program has interrupted the audio'
      : 'The browser has paused the audio';
    this.#ui.askForTouch('Tap to hear', reason);
  }

  #read() {
    this.#audio.holdLevel();
    if (this.#scheduler.readOutput()) {
      this.#scheduler.refresh();
      this.#reporter.report();
    }
    this.#scheduler.steer();
  }
}
