// The session with the relay: applies each message to the room, the cues, the bank, the variables and the
// voices, and shows the result.
//
// The only module that interprets messages. Gestures are in actions.js, reports in reporter.js, the instants
// of values in variable-watch.js.

import { TONE } from '../protocol/fields.js';

const ERROR_TEXTS = {
  too_many: 'Too fast: the relay dropped that request.',
  not_allowed: 'The relay lets this page listen, but not play.',
  unknown_sound: 'The relay no longer has that sound.',
  unknown_variable: 'The relay no longer has that variable.',
  no_target: 'Nobody there can play it.',
};

/** Interval at which cues that are over are dropped, in ms. */
const PRUNE_MILLIS = 2000;

const loadingText = (sound) => `“${sound}” is still loading. It will join as soon as it is loaded.`;

export class Session {
  #room;
  #cues;
  #clock;
  #bank;
  #scheduler;
  #reporter;
  #variables;
  #lights;
  #settings;
  #ui;
  #now;
  #hadEstimate = false;

  /**
   * @param {object} parts
   * @param {import('../state/room.js').Room} parts.room
   * @param {import('../state/cues.js').Cues} parts.cues
   * @param {import('../clock/estimator.js').ClockEstimator} parts.clock
   * @param {import('../bank/sound-bank.js').SoundBank} parts.bank
   * @param {import('./voice-scheduler.js').VoiceScheduler} parts.scheduler
   * @param {import('./reporter.js').Reporter} parts.reporter
   * @param {import('./variable-watch.js').VariableWatch} parts.variables
   * @param {import('./lights.js').Lights} parts.lights
   * @param {import('../state/settings.js').SettingsStore} parts.settings
   * @param {import('../ui/ui.js').Ui} parts.ui
   * @param {() => number} parts.now local time, in µs
   */
  constructor({ room, cues, clock, bank, scheduler, reporter, variables, lights, settings, ui, now }) {
    this.#room = room;
    this.#cues = cues;
    this.#clock = clock;
    this.#bank = bank;
    this.#scheduler = scheduler;
    this.#reporter = reporter;
    this.#variables = variables;
    this.#lights = lights;
    this.#settings = settings;
    this.#ui = ui;
    this.#now = now;
  }

  /** Drops what is over, from now on. */
  run() {
    setInterval(() => this.#prune(), PRUNE_MILLIS);
  }

  /** The sound that a bang plays: the chosen one if the relay has it, else the relay's default. */
  get chosenSound() {
    const { sound } = this.#settings.current;
    return this.#room.sounds.has(sound) ? sound : this.#room.defaultSound;
  }

  /** Whether a variable has one value for each machine. */
  isPerMachine(name) {
    return this.#variables.isPerMachine(name);
  }

  /** What sounds here now, as the pads show it. */
  sounding() {
    const estimate = this.#clock.estimate();
    if (!estimate) return [];
    const relayNow = estimate.relayAt(this.#now());
    return [...this.#cues]
      .filter((cue) => this.#scheduler.has(cue.trigger.seq))
      .filter((cue) => cue.startsAt <= relayNow && !cue.isOver(relayNow))
      .map((cue) => ({ seq: cue.trigger.seq, sound: cue.trigger.sound, ...cue.progressAt(relayNow) }));
  }

  /** The connection is lost. Sounding voices go on. */
  disconnected() {
    this.#room.disconnected();
    this.#showRoster();
    this.#ui.showLead(null);
  }

  /** Applies a message. */
  receive(message) {
    switch (message.type) {
      case 'welcome':
        return this.#welcome(message);
      case 'trigger':
        return this.#trigger(message);
      case 'stop':
        this.#lights.stop(message);
        return this.#cues.stop(message).forEach((cue) => this.#scheduler.stop(cue));
      case 'value':
        return this.#variables.value(message);
      case 'variables':
        return this.#variables.change(message);
      case 'roster':
        this.#room.roster(message);
        this.#ui.showLead(this.#room.leadMicros);
        return this.#showRoster();
      case 'bank':
        this.#room.bank(message);
        return this.#replaceBank(message.sounds);
      case 'error':
        if (message.ack !== undefined) this.#ui.showRefusal(message.ack);
        return this.#ui.notify(ERROR_TEXTS[message.code] ?? `The relay reports: ${message.message}`);
    }
  }

  /** Takes a probe reply, after the clock has taken it. */
  probed(reply, arrivedMicros) {
    const estimate = this.#clock.estimate();
    if (!estimate) return;
    this.#reporter.observeDelay(estimate.relayAt(arrivedMicros) - reply.replied, arrivedMicros);
    if (this.#hadEstimate) {
      this.#reporter.reportIfChanged();
    } else {
      this.#hadEstimate = true;
      this.#variables.advance();
      this.#scheduler.refresh();
      this.#reporter.report();
    }
  }

  /** A sound was loaded or evicted. */
  soundChanged(sound) {
    const isReady = this.#bank.isReady(sound);
    this.#ui.showReady(sound, isReady, this.#bank.peaks(sound));
    if (!isReady) return;
    this.#ui.dismiss(loadingText(sound));
    this.#scheduler.refresh();
  }

  #welcome(message) {
    const isNewEpoch = this.#room.welcome(message);
    if (isNewEpoch) {
      this.#clock.reset();
      this.#lights.clear();
      this.#hadEstimate = false;
      this.#scheduler.reset();
    } else {
      this.#clock.burst();
    }
    this.#variables.welcome(message, isNewEpoch);
    this.#cues.welcome(message, isNewEpoch);
    this.#scheduler.resetCounts();
    this.#reporter.reset();
    this.#replaceBank(message.sounds);
    this.#ui.showLead(this.#room.leadMicros);
    this.#showRoster();
    this.#scheduler.refresh();
    for (const cue of this.#cues) if (cue.stopAt !== undefined) this.#scheduler.stop(cue);
  }

  #trigger(message) {
    const estimate = this.#clock.estimate();
    const isCue = this.#cues.trigger(message, estimate && estimate.relayAt(this.#now()));
    this.#ui.showLastTrigger(message, message.by.id === this.#room.id);
    const { sound } = message;
    if (!isCue && estimate) this.#lights.wait(message, estimate.localAt(message.play_at));
    if (isCue && sound !== TONE) {
      this.#bank.countUse(sound);
      const isLoaded = this.#bank.request(sound) !== undefined;
      if (!isLoaded && this.#room.sounds.has(sound)) this.#ui.notify(loadingText(sound));
    }
    this.#scheduler.refresh();
  }

  #replaceBank(sounds) {
    this.#bank.replace(sounds, [this.chosenSound, this.#room.defaultSound]);
    this.#ui.showSounds(
      [...this.#room.sounds.values()],
      this.chosenSound,
      (sound) => ({ isReady: this.#bank.isReady(sound), peaks: this.#bank.peaks(sound) }),
    );
  }

  #prune() {
    const estimate = this.#clock.estimate();
    if (!estimate) return;
    this.#cues.prune(estimate.relayAt(this.#now()));
    this.#scheduler.prune();
  }

  #showRoster() {
    this.#ui.showRoster(this.#room.clients, this.#room.total, this.#room.id);
    this.#ui.showTargets(this.#room.clients, this.#room.tags);
    this.#reporter.showSyncStatus();
  }
}
