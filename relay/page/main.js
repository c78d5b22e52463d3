// Wires the rooms of the page together: gestures to messages, messages to sound and sight.
//
// Holds no rules of its own: what a message means is in room.js, when it sounds in player.js and
// schedule.js, how it looks in ui.js.

import { isRefusal, reasonInWords, tokenIn, wantsToken, whyKeptOut, withToken } from './net/admission.js';
import { AudioOutput } from './audio/audio-output.js';
import { Bank } from './bank/sound-bank.js';
import { ClockEstimator, tickMicros } from './session/clock-estimator.js';
import { Connection, socketUrl } from './net/connection.js';
import { DelayTail, changedMuch, leadNeed } from './session/lead.js';
import { Player } from './session/voice-scheduler.js';
import { cleanName } from './protocol/messages.js';
import { Room } from './state/room.js';
import { READING_MILLIS } from './audio/output-clock.js';
import { browserStorage, loadSettings, saveSettings } from './state/settings.js';
import { Standing } from './state/sync-status.js';
import { Ui } from './ui/ui.js';

const CLIENT = 'downbeat-page';

/** How often the relay is told how this page is doing, in ms. */
const REPORT_MILLIS = 2000;

/** Least time between two reports, however much changes, in ms. */
const REPORT_GAP_MILLIS = 250;

/** What the relay's refusals mean to the one who played. */
const REFUSALS = {
  too_many: 'Too fast: the relay let that bang fall.',
  not_allowed: 'The relay lets this page listen, but not bang.',
  unknown_sound: 'The relay has no such sound any more.',
};

const stillLoading = (sound) => `“${sound}” is still loading. It joins in as soon as it is here.`;

const nowMicros = () => performance.now() * 1000;

/** The page with all its parts, once there is audio to play on. */
class Page {
  #settings = loadSettings(browserStorage());
  #room = new Room(this.#settings.name);
  #clock = new ClockEstimator(tickMicros(nowMicros));
  #tail = new DelayTail();
  #standing = new Standing();
  #ui;
  #audio;
  #bank;
  #player;
  #connection;
  #hadEstimate = false;
  #hasStarted = false;
  #reported = null;
  #reportedAt = -Infinity;
  /** Whether the relay is being asked why it keeps this page out. */
  #asking = false;

  constructor() {
    this.#ui = new Ui({
      start: () => this.#start(),
      token: (token) => this.#useToken(token),
      bang: () => this.#bang(),
      stop: () => this.#stop(),
      choose: (sound) => {
        this.#set({ sound });
        this.#bank.need(sound);
      },
      volume: (volume) => {
        this.#set({ volume });
        this.#audio.setVolume(volume);
      },
      trim: (trimMillis) => {
        this.#set({ trimMillis });
        this.#player.trimMicros = trimMillis * 1000;
        this.#report();
      },
      rename: (name) => this.#rename(name),
    });
  }

  run() {
    const { name, volume, trimMillis } = this.#settings;
    this.#ui.showState('connecting');
    this.#ui.showName(name);
    this.#ui.showVolume(volume);
    this.#ui.showTrim(trimMillis);
    try {
      this.#audio = new AudioOutput({ state: () => this.#outputChanged() });
    } catch (error) {
      this.#ui.askForTouch('No sound here', error.message);
      return;
    }
    this.#audio.setVolume(volume);
    this.#bank = new Bank(
      (file) => this.#audio.decode(file),
      () => this.#audio.sampleRate,
      {
        changed: (sound) => this.#bankHas(sound),
        failed: (sound, why) => this.#ui.say(`“${sound}” cannot be loaded: ${why}.`, 'bad'),
      },
      this.#settings.uses,
    );
    this.#player = new Player(this.#room, this.#clock, this.#bank, this.#audio, {
      started: (_, heardAtMicros) => this.#sounds(heardAtMicros),
      missed: ({ sound }) => this.#ui.say(`“${sound}” came too late to be heard here.`),
    });
    this.#player.trimMicros = trimMillis * 1000;
    this.#connection = new Connection(
      socketUrl(location.href),
      () => ({ type: 'hello', name: this.#settings.name, kind: 'page', client: CLIENT }),
      this.#clock,
      {
        state: (state) => this.#connectionChanged(state),
        failed: () => this.#tryFailed(),
        message: (message) => this.#received(message),
        probed: (reply, arrived) => this.#probed(reply, arrived),
        unreadable: (problem) => console.warn(`unreadable message: ${problem}`),
      },
    );
    this.#ui.askForTouch('Tap to join', 'Sound starts with a touch');
    this.#connection.connect();
    // The network is back, or the page is looked at again: no need to wait out the back-off.
    window.addEventListener('online', () => this.#connection.connect());
    window.addEventListener('hashchange', () => this.#connection.reconnect());
    document.addEventListener('visibilitychange', () => this.#seenAgain());
    setInterval(() => this.#readOutput(), READING_MILLIS);
    setInterval(() => this.#tick(), REPORT_MILLIS);
    window.addEventListener('pagehide', () => this.#set({ uses: this.#bank.uses }));
  }

  // ---- gestures ----

  async #start() {
    this.#hasStarted = true;
    try {
      await this.#audio.resume();
    } catch (error) {
      this.#ui.askForTouch('Tap again', `The browser kept the sound off: ${error.message}`);
    }
    this.#outputChanged();
  }

  #bang() {
    const { sound } = this.#choice();
    if (!this.#connection.send({ type: 'trigger', sound, gain: 1, rate: 1, pan: 0 })) {
      this.#ui.say('Not connected: nobody heard that.', 'bad');
    }
  }

  /** Silences this machine at once, and then everyone, if there is a relay to say it. */
  #stop() {
    this.#room.silence();
    this.#player.refresh();
    if (!this.#connection.send({ type: 'stop' })) {
      this.#ui.say('Stopped here. The relay is not reached: the others play on.', 'bad');
    }
  }

  #rename(given) {
    const name = cleanName(given);
    if (name && name !== this.#settings.name) {
      this.#set({ name });
      this.#room.rename(name);
      this.#connection.reconnect();
    }
    this.#ui.showName(this.#settings.name);
  }

  #set(changed) {
    this.#settings = { ...this.#settings, ...changed };
    saveSettings(browserStorage(), this.#settings);
  }

  /** The sound that a bang plays: the one chosen if the relay has it, else its default. */
  #choice() {
    const { sound } = this.#settings;
    return { sound: this.#room.sounds.has(sound) ? sound : this.#room.defaultSound };
  }

  // ---- the relay ----

  #connectionChanged(state) {
    this.#ui.showState(state);
    if (state === 'connected') {
      this.#ui.showProblem(null);
      this.#ui.askForToken(null);
      return;
    }
    this.#room.disconnected();
    this.#showRoster();
    this.#ui.showLead(null);
    this.#ui.showProblem(reasonInWords('silent'));
  }

  /** Finds out why the relay keeps this page out, and says so. */
  async #tryFailed() {
    if (this.#asking) return;
    this.#asking = true;
    const token = tokenIn(location.hash);
    const reason = await whyKeptOut(token);
    this.#asking = false;
    // It may have let the page in meanwhile, or been shown another token.
    const { state } = this.#connection;
    if (state === 'connected' || token !== tokenIn(location.hash)) return;
    const words = reasonInWords(reason, location.origin);
    const refused = isRefusal(reason);
    if (refused) this.#connection.beRefused();
    this.#ui.showState(refused ? 'refused' : state);
    this.#ui.askForToken(wantsToken(reason) ? words : null);
    this.#ui.showProblem(wantsToken(reason) ? null : words);
  }

  /** Keeps a token where one that came with the page's address stands, and tries it. */
  #useToken(token) {
    history.replaceState(null, '', withToken(location.hash, token));
    this.#connection.reconnect();
    this.#start();
  }

  #received(message) {
    switch (message.type) {
      case 'welcome':
        return this.#welcomed(message);
      case 'trigger':
        if (this.#room.trigger(message)) this.#heardOf(message.sound);
        this.#ui.showLast(message, message.by.id === this.#room.id);
        return this.#player.refresh();
      case 'stop':
        return this.#room.stop(message).forEach((wanted) => this.#player.stop(wanted));
      case 'roster':
        this.#room.roster(message);
        this.#ui.showLead(this.#room.leadMicros);
        return this.#showRoster();
      case 'bank':
        return this.#bankChanged(message);
      case 'error':
        return this.#ui.say(REFUSALS[message.code] ?? `The relay refused: ${message.message}`);
    }
  }

  #welcomed(message) {
    if (this.#room.welcome(message)) {
      this.#clock.reset();
      this.#tail.reset();
      this.#hadEstimate = false;
      this.#player.forget();
    } else {
      // Another connection may take another way through the network.
      this.#clock.burst();
      this.#tail.reset();
    }
    this.#player.resetCounts();
    this.#reported = null;
    this.#useBank(message.sounds);
    this.#ui.showLead(this.#room.leadMicros);
    this.#showRoster();
    this.#player.refresh();
    for (const wanted of this.#room.wanted.values()) {
      if (wanted.stopAt !== undefined) this.#player.stop(wanted);
    }
  }

  /** The relay serves other sounds from now on. What sounds goes on. */
  #bankChanged(message) {
    this.#room.bank(message);
    this.#useBank(message.sounds);
  }

  #useBank(sounds) {
    this.#bank.use(sounds, [this.#choice().sound, this.#room.defaultSound]);
    this.#showSounds();
  }

  /** A trigger is for this machine. */
  #heardOf(sound) {
    this.#bank.count(sound);
    if (this.#bank.need(sound)) return;
    if (this.#room.sounds.has(sound)) this.#ui.say(stillLoading(sound));
  }

  #probed({ replied }, arrivedMicros) {
    const estimate = this.#clock.estimate();
    if (!estimate) return;
    this.#tail.observe(estimate.relayAt(arrivedMicros) - replied, arrivedMicros);
    if (!this.#hadEstimate) {
      this.#hadEstimate = true;
      this.#player.refresh();
      this.#report();
    } else if (changedMuch(this.#leadNeed(), this.#reported)) {
      this.#report();
    }
  }

  // ---- sound ----

  #outputChanged() {
    this.#player.outputChanged();
    if (this.#audio.running && this.#hasStarted) {
      this.#ui.touched();
    } else if (this.#hasStarted) {
      const why = this.#audio.interrupted
        ? 'Something else took the sound'
        : 'The browser paused the sound';
      this.#ui.askForTouch('Tap to go on', why);
    }
  }

  #seenAgain() {
    if (document.hidden) return;
    this.#connection.connect();
    // Most browsers allow it without another touch; where not, the page asks for one.
    if (this.#hasStarted && !this.#audio.running) this.#audio.resume().catch(() => {});
  }

  #readOutput() {
    if (this.#player.readOutput()) {
      this.#player.refresh();
      this.#report();
    }
    this.#player.hold();
  }

  /** A sound has come, or had to make room for others. */
  #bankHas(sound) {
    const isReady = this.#bank.isReady(sound);
    this.#ui.showReady(sound, isReady);
    if (!isReady) return;
    this.#ui.takeBack(stillLoading(sound));
    this.#player.refresh();
  }

  /** A voice has been started: shows it when it is heard. */
  #sounds(heardAtMicros) {
    setTimeout(
      () => {
        this.#ui.flash();
        this.#ui.meter(
          () => this.#audio.peak(),
          () => this.#room.wanted.size > 0,
        );
      },
      Math.max(0, (heardAtMicros - nowMicros()) / 1000),
    );
  }

  // ---- now and then ----

  #tick() {
    const estimate = this.#clock.estimate();
    if (estimate) {
      this.#room.prune(estimate.relayAt(nowMicros()));
      this.#player.prune();
    }
    this.#report();
  }

  #leadNeed() {
    return leadNeed(
      this.#tail.micros,
      this.#player.worstAheadMicros,
      this.#audio.quantumMicros,
      this.#player.trimMicros,
    );
  }

  #report() {
    const now = performance.now();
    const { triggers, late, latenessMicros, latencyMicros } = this.#player;
    const { xruns } = this.#audio;
    const clockError = this.#clock.estimate()?.errorMicros(nowMicros());
    const outputError = this.#player.errorMicros;
    const known = clockError !== undefined && outputError !== null;
    const errorMicros = known ? Math.ceil(clockError + outputError) : null;
    this.#standing.clock(errorMicros);
    const { loose } = this.#standing;
    this.#ui.showFacts({ errorMicros, loose, latencyMicros, triggers, late, xruns });
    this.#showStanding();
    if (now - this.#reportedAt < REPORT_GAP_MILLIS) return;
    const need = this.#leadNeed();
    const sent = this.#connection.send({
      type: 'report',
      lead_micros: need ?? undefined,
      clock_error_micros: errorMicros ?? undefined,
      latency_micros: latencyMicros ?? undefined,
      triggers,
      late,
      lateness_micros: latenessMicros ?? undefined,
      xruns: xruns ?? 0,
    });
    if (!sent) return;
    this.#reported = need;
    this.#reportedAt = now;
  }

  #showSounds() {
    this.#ui.showSounds(
      [...this.#room.sounds.keys()],
      this.#choice().sound,
      (sound) => this.#bank.isReady(sound),
    );
  }

  #showRoster() {
    this.#ui.showRoster(this.#room.clients, this.#room.total, this.#room.id);
    this.#showStanding();
  }

  #showStanding() {
    const own = this.#room.clients.find(({ id }) => id === this.#room.id);
    this.#ui.showStanding(this.#standing.problem(own, this.#room.mostLeadMicros));
  }
}

new Page().run();
