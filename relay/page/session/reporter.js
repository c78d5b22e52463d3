// Reports to the relay, and shows the user, how this client is doing: the lead that it requires, its
// error bound, its latency, and its counts.

import { DelayQuantile } from '../clock/delay-quantile.js';
import { SyncStatus } from '../state/sync-status.js';
import { volumeDbOf } from '../state/volume.js';
import { hasChangedMuch, requiredLead } from './lead.js';

/** Interval of the reports, in ms. */
const REPORT_MILLIS = 2000;

/** Minimum interval between two reports, however much changes, in ms. */
const MIN_INTERVAL_MILLIS = 250;

/** The name of the page's output: a browser does not tell which one it uses. */
export const OUTPUT = 'browser';

/** This level and less is silence, in dB. */
const FLOOR_DB = -100;

export class Reporter {
  #delay = new DelayQuantile();
  #syncStatus = new SyncStatus();
  #room;
  #clock;
  #audio;
  #scheduler;
  #bank;
  #settings;
  #send;
  #ui;
  #now;
  #reportedLead = null;
  #reportedAt = -Infinity;

  /**
   * @param {object} parts
   * @param {import('../state/room.js').Room} parts.room
   * @param {import('../clock/estimator.js').ClockEstimator} parts.clock
   * @param {import('../audio/audio-output.js').AudioOutput} parts.audio
   * @param {import('./voice-scheduler.js').VoiceScheduler} parts.scheduler
   * @param {import('../bank/sound-bank.js').SoundBank} parts.bank
   * @param {import('../state/settings.js').SettingsStore} parts.settings
   * @param {(message: object) => boolean} parts.send
   * @param {import('../ui/ui.js').Ui} parts.ui
   * @param {() => number} parts.now local time, in µs
   */
  constructor({ room, clock, audio, scheduler, bank, settings, send, ui, now }) {
    this.#room = room;
    this.#clock = clock;
    this.#audio = audio;
    this.#scheduler = scheduler;
    this.#bank = bank;
    this.#settings = settings;
    this.#send = send;
    this.#ui = ui;
    this.#now = now;
  }

  /** Reports at the regular interval from now on. */
  run() {
    setInterval(() => this.report(), REPORT_MILLIS);
  }

  /** Another connection: it may take another network path. */
  reset() {
    this.#delay.reset();
    this.#reportedLead = null;
    this.#reportedAt = -Infinity;
  }

  /** Takes the one-way delay of a message that arrived at a local time, both in µs. */
  observeDelay(delayMicros, arrivedMicros) {
    this.#delay.observe(delayMicros, arrivedMicros);
  }

  /** Reports if the required lead has changed much. */
  reportIfChanged() {
    if (hasChangedMuch(this.#requiredLead(), this.#reportedLead)) this.report();
  }

  report() {
    const nowMicros = this.#now();
    const { triggers, late, latenessMicros, latencyMicros } = this.#scheduler;
    const { xruns } = this.#audio;
    const errorMicros = this.#errorMicros(nowMicros);
    this.#syncStatus.setError(errorMicros);
    const { isLoose } = this.#syncStatus;
    this.#ui.showMachine({ errorMicros, isLoose, latencyMicros, triggers, late, xruns });
    this.showSyncStatus();
    // Before the welcome, what is known may be that of a former epoch.
    if (this.#room.id === null) return;
    if ((nowMicros - this.#reportedAt) / 1000 < MIN_INTERVAL_MILLIS) return;
    const lead = this.#requiredLead();
    const sent = this.#send({
      type: 'report',
      lead_micros: lead ?? undefined,
      clock_error_micros: errorMicros ?? undefined,
      latency_micros: latencyMicros ?? undefined,
      triggers,
      late,
      lateness_micros: latenessMicros ?? undefined,
      xruns: xruns ?? 0,
      ...this.#standing(),
    });
    if (!sent) return;
    this.#reportedLead = lead;
    this.#reportedAt = nowMicros;
  }

  showSyncStatus() {
    const { self, maxLeadMicros } = this.#room;
    const problem = this.#syncStatus.problem(self?.straggler === true, this.#requiredLead(), maxLeadMicros);
    this.#ui.showSyncStatus(problem);
  }

  /** What of the bank is here, and how loud this machine is. */
  #standing() {
    const { ready, missing } = this.#bank.standing;
    const { volume, isMuted } = this.#settings.current;
    const levelDb = Math.round(20 * Math.log10(this.#audio.takeLevel()));
    return {
      bank: this.#room.bankNumber,
      ready,
      missing: missing.length > 0 ? missing : undefined,
      output: OUTPUT,
      level_db: levelDb > FLOOR_DB ? levelDb : undefined,
      volume_db: volumeDbOf(volume),
      muted: isMuted || undefined,
      extra_latency_micros: Math.round(this.#scheduler.extraLatencyMicros),
    };
  }

  /**
   * The bound on how far this machine can be off relay time: its clock's and its output's, added; null while it
   * is unknown, and without a connection: the relay that comes next may have another epoch.
   */
  #errorMicros(nowMicros) {
    if (this.#room.id === null) return null;
    const clockError = this.#clock.estimate()?.errorMicros(nowMicros);
    const outputError = this.#scheduler.errorMicros;
    const isKnown = clockError !== undefined && outputError !== null;
    return isKnown ? Math.ceil(clockError + outputError) : null;
  }

  #requiredLead() {
    return requiredLead(
      this.#delay.micros,
      this.#scheduler.worstAheadMicros,
      this.#audio.quantumMicros,
      this.#scheduler.extraLatencyMicros,
    );
  }
}
