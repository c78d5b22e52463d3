// The session with the relay: applies each message to the room, the cues, the bank, the variables and the
// voices, and shows the result.
//
// The only module that interprets messages. Gestures are in actions.js, reports in reporter.js, the instants
// of values in variable-watch.js, what is kept of this machine in own-machine.js, and what those who run the
// room see in room-watch.js.

import { TONE } from '../protocol/fields.js';
import { CONDUCT, whyNot } from '../state/rights.js';

const ERROR_TEXTS = {
  too_many: 'Too fast: the relay dropped that request.',
  locked: 'The room is locked: only conductors play.',
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
  #outcomes;
  #requests;
  #ownMachine;
  #roomWatch;
  #uploads;
  #outputWatch;
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
   * @param {import('./outcomes.js').Outcomes} parts.outcomes
   * @param {import('./requests.js').Requests} parts.requests
   * @param {import('./own-machine.js').OwnMachine} parts.ownMachine
   * @param {import('./room-watch.js').RoomWatch} parts.roomWatch
   * @param {import('./uploads.js').Uploads} parts.uploads
   * @param {import('./output-watch.js').OutputWatch} parts.outputWatch
   * @param {import('../state/settings.js').SettingsStore} parts.settings
   * @param {import('../ui/ui.js').Ui} parts.ui
   * @param {() => number} parts.now local time, in µs
   */
  constructor(parts) {
    this.#room = parts.room;
    this.#cues = parts.cues;
    this.#clock = parts.clock;
    this.#bank = parts.bank;
    this.#scheduler = parts.scheduler;
    this.#reporter = parts.reporter;
    this.#variables = parts.variables;
    this.#lights = parts.lights;
    this.#outcomes = parts.outcomes;
    this.#requests = parts.requests;
    this.#ownMachine = parts.ownMachine;
    this.#roomWatch = parts.roomWatch;
    this.#uploads = parts.uploads;
    this.#outputWatch = parts.outputWatch;
    this.#settings = parts.settings;
    this.#ui = parts.ui;
    this.#now = parts.now;
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
    this.#requests.disconnected();
    this.#roomWatch.disconnected();
    this.#outcomes.reset();
    this.#showRoster();
    this.#ui.showLead(null);
    this.#reporter.report();
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
        this.#replaceBank(message.sounds);
        this.#roomWatch.standardChanged();
        return this.#reporter.report();
      case 'machine':
        this.#room.rights = message.rights;
        this.#ownMachine.record(message);
        this.#reporter.report();
        return this.#showRights();
      case 'command':
        return this.#command(message);
      case 'lock':
        return this.#lock(message);
      case 'joining':
        return this.#ui.room.showJoining(message);
      case 'machines':
        return this.#roomWatch.changed(message);
      case 'receipt':
        return this.#roomWatch.receipt(message);
      case 'upload_ready':
        return this.#requests.ready(message.ack, message.path);
      case 'ack':
        return this.#requests.acked(message.ack);
      case 'error':
        return this.#refused(message);
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
    this.#ownMachine.welcome(message.machine);
    this.#outcomes.reset();
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
    this.#ownMachine.sendChanges();
    this.#roomWatch.welcome();
    this.#showRights();
    this.#uploads.connected();
  }

  #lock({ locked, by }) {
    this.#room.isLocked = locked;
    this.#showRights();
    if (by.id !== this.#room.id) this.#ui.notify(`${by.name} has ${locked ? 'locked' : 'unlocked'} the room.`);
  }

  #command({ command, by }) {
    if (command === 'identify') this.#ui.identify(this.#room.name, this.#room.self?.seat, by.name);
    if (command === 'restart_output') this.#outputWatch.restart();
  }

  #refused(error) {
    const { ack, code, message } = error;
    if (ack !== undefined) {
      this.#ui.showRefusal(ack);
      if (this.#requests.refused(error)) return;
    }
    const denied = code === 'not_allowed' ? whyNot(CONDUCT, this.#room) : null;
    this.#ui.notify(denied ?? ERROR_TEXTS[code] ?? `The relay reports: ${message}`);
  }

  #trigger(message) {
    const estimate = this.#clock.estimate();
    const isCue = this.#cues.trigger(message, estimate && estimate.relayAt(this.#now()));
    this.#ui.showLastTrigger(message, message.by.id === this.#room.id);
    const { sound } = message;
    if (isCue) {
      const startsAt = this.#cues.get(message.seq).startsAt;
      this.#outcomes.expect(message, estimate && (estimate.localAt(startsAt) - this.#now()) / 1000);
    }
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
    this.#ui.bank.showBank([...this.#room.sounds.values()], this.#room.defaultSound, this.#room.removed);
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

  #showRights() {
    this.#ui.showRights(this.#room);
    this.#roomWatch.refresh();
  }

  #showRoster() {
    this.#ui.showRoster(this.#room.clients, this.#room.total, this.#room.id);
    this.#ui.showTargets(this.#room.clients, this.#room.tags);
    this.#reporter.showSyncStatus();
  }
}
