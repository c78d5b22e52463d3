// The user interface: displays what it is given, and turns gestures into actions. Decides nothing.
//
// Texts from the network are set as text only, never as markup.

import { PLAY, RIGHTS_TEXTS, denialOf } from '../state/rights.js';
import { formatMicros } from '../state/units.js';
import { BangButton } from './bang-button.js';
import { BankView } from './bank-view.js';
import { Cover } from './cover.js';
import { element, setText } from './dom.js';
import { listenToFields } from './field-keys.js';
import { FlashLimit } from './flash-limit.js';
import { HandStrip } from './hand-strip.js';
import { Identify } from './identify.js';
import { LevelMeter } from './level-meter.js';
import {
  listenToMachine,
  showExtraLatency,
  showFacts,
  showKeepsAwake,
  showName,
  showOwnRights,
  showSyncStatus,
} from './machine.js';
import { Pads } from './pads.js';
import { RoomView } from './room-view.js';
import { SoundList } from './sound-list.js';
import { StatusLine } from './status-line.js';
import { Theme } from './theme.js';
import { TokenForm } from './token-form.js';
import { VariablePanel } from './variable-panel.js';
import { Views } from './views.js';
import { listenToVolume, showMuted, showVolume } from './volume.js';

const STATE_TEXTS = {
  connecting: 'Connecting',
  connected: 'Connected',
  lost: 'Lost, retrying',
  rejected: 'Rejected',
};

export class Ui {
  #bangButton;
  #cover;
  #flashLimit = new FlashLimit();
  #hand;
  #identify = new Identify(this.#flashLimit);
  #meter = new LevelMeter();
  #pads;
  #sounds;
  #statusLine = new StatusLine((shown) => showStatus(shown));
  #theme;
  #tokenForm;
  #variables;
  #views;

  /** The view Room. @type {RoomView} */
  room;
  /** The view Sounds. @type {BankView} */
  bank;

  /** @param {(action: import('../session/actions.js').Action) => void} perform */
  constructor(perform) {
    this.#views = new Views((view) => {
      this.#viewShown();
      perform({ type: 'view', view });
    });
    this.#bangButton = new BangButton(() => perform({ type: 'bang' }));
    this.#tokenForm = new TokenForm((text) => perform({ type: 'token', text }));
    // Submitting the token is a gesture as well, so the form takes the place of the cover.
    this.#cover = new Cover(
      () => perform({ type: 'start' }),
      () => this.#tokenForm.isOpen,
      () => this.#bangButton.focus(),
    );
    this.#pads = new Pads({
      hit: (sound, hitDb) => perform({ type: 'press', sound, hitDb }),
      stop: (sound) => perform({ type: 'stop-sound', sound }),
      sight: (sounds) => perform({ type: 'sight', sounds }),
      isPlayable: () => this.#views.current === 'play' && !element('page').inert,
    });
    this.#sounds = new SoundList((sound) => {
      this.#showChoice(sound);
      perform({ type: 'choose', sound });
    });
    this.#theme = new Theme(
      (theme) => perform({ type: 'theme', theme }),
      () => {
        this.#pads.redraw();
        this.bank?.redraw();
      },
    );
    this.#hand = new HandStrip(perform);
    this.#variables = new VariablePanel(perform);
    this.room = new RoomView(perform, () => this.#views.current === 'room');
    this.bank = new BankView(perform);
    element('stop').addEventListener('click', () => perform({ type: 'stop' }));
    listenToVolume(perform);
    listenToMachine(perform);
    listenToFields({
      leave: () => this.#bangButton.focus(),
      close: () => this.room.close(),
      stop: () => perform({ type: 'stop' }),
    });
  }

  /** @param {string} view */
  showView(view) {
    this.#views.show(view);
    this.#viewShown();
  }

  #viewShown() {
    if (this.#views.current === 'room') this.room.shown();
    if (this.#views.current === 'sounds') this.bank.shown();
  }

  /**
   * Shows what this client may do; what it may not do says why.
   * @param {{rights: string, isLocked: boolean}} room
   */
  showRights(room) {
    const denial = denialOf(PLAY, room);
    const page = element('page');
    page.dataset.rights = room.rights;
    page.classList.toggle('denied', denial !== null);
    const standing = element('standing');
    standing.hidden = !room.isLocked && room.rights !== 'listener';
    standing.dataset.standing = room.isLocked ? 'locked' : room.rights;
    setText(standing, room.isLocked ? 'Locked' : RIGHTS_TEXTS[room.rights]);
    standing.title = denial?.text ?? 'The room is locked: only conductors play, and you are one.';
    element('play-note').hidden = denial === null;
    setText(element('play-note'), denial?.text ?? '');
    setText(element('stop'), denial === null ? 'Stop' : 'Stop here');
    this.#bangButton.deny(denial);
    this.#hand.deny(denial !== null);
    this.#variables.showRights(room);
    this.room.showRights(room);
    this.bank.showRights(room);
    showOwnRights(room);
  }

  /** The whole screen shows which machine this is. See identify.js. */
  identify(name, seat, by) {
    this.#identify.show(name, seat, by);
  }

  /** @param {string} theme */
  showTheme(theme) {
    this.#theme.show(theme);
  }

  /** @param {import('../net/connection.js').State | 'rejected'} state */
  showState(state) {
    element('state').dataset.state = state;
    element('state').textContent = STATE_TEXTS[state];
    element('page').classList.toggle('disconnected', state !== 'connected');
  }

  /** @param {number | null} micros */
  showLead(micros) {
    element('lead').hidden = micros === null;
    if (micros !== null) element('lead-value').textContent = formatMicros(micros);
  }

  /** Shows an event for some seconds. */
  notify(text, level = 'warn') {
    this.#statusLine.notify(text, level);
  }

  /** Ends the notification with this text. */
  dismiss(text) {
    this.#statusLine.dismiss(text);
  }

  /** Shows a problem as long as it lasts; `null` ends it. */
  showProblem(text) {
    this.#statusLine.setStatus(text);
  }

  /** Asks for the relay's token, for `reason`; `null` closes the form. */
  askForToken(reason) {
    if (reason === null) this.#tokenForm.close();
    else this.#tokenForm.open(reason);
    this.#cover.refresh();
  }

  /** What was typed into that form does not help. */
  showTokenProblem(text) {
    this.#tokenForm.showProblem(text);
  }

  /** Covers the instrument until a gesture has started the audio. */
  askForTouch(text, reason) {
    this.#cover.ask(text, reason);
  }

  /** The audio is running. */
  touched() {
    this.#cover.remove();
  }

  /**
   * Shows the bank, in the relay's order.
   * @param {{name: string}[]} sounds
   * @param {string} chosen the sound of the bang button
   * @param {(name: string) => {isReady: boolean, peaks: Float32Array | undefined}} stateOf
   */
  showSounds(sounds, chosen, stateOf) {
    const names = sounds.map(({ name }) => name);
    this.#pads.show(names, stateOf);
    this.#sounds.show(names, chosen, (name) => stateOf(name).isReady);
    this.#showChoice(chosen);
  }

  /** Whether a sound is loaded, and its peaks as far as they are known. */
  showReady(name, isReady, peaks) {
    this.#pads.setReady(name, isReady, peaks);
    this.#sounds.setReady(name, isReady);
  }

  #showChoice(name) {
    this.#bangButton.showSound(name);
  }

  /** @param {{sound: string, by: {id: number, name: string}}} trigger */
  showLastTrigger({ sound, by }, isOwn) {
    element('last-sound').textContent = sound;
    element('last-by').textContent = isOwn ? 'by you' : `by ${by.name}`;
  }

  /** A sound is heard on this machine: flashes once, bang button and pad together. */
  flash(sound) {
    const isFlash = this.#flashLimit.allows(performance.now());
    this.#bangButton.flash(isFlash);
    this.#pads.light(sound, isFlash ? 'flash' : 'glow');
  }

  /** A sound is heard on other machines only. */
  showElsewhere(sound) {
    this.#pads.light(sound, 'elsewhere');
  }

  /** Where to ask what sounds here. @param {() => object[]} sounding */
  followSounding(sounding) {
    this.#pads.follow(sounding);
  }

  /**
   * Animates the level meter as long as something sounds.
   * @param {() => number} peak 0 to 1
   * @param {() => boolean} isSounding
   */
  meter(peak, isSounding) {
    this.#meter.run(peak, isSounding);
  }

  /** See roster.js. */
  showRoster(clients, total, ownId) {
    this.room.showRoster(clients, total, ownId);
  }

  /** Who can be the target of a press. */
  showTargets(clients, tags) {
    this.#hand.showTargets(clients, tags);
  }

  /** @param {import('../state/hand.js').Hand} hand */
  showHand(hand) {
    this.#hand.show(hand);
    this.#pads.setShape(hand.current.shape);
  }

  /** Shows the declared variables. */
  showVariables(variables, valueOf) {
    this.#variables.show(variables, valueOf);
    const drivesFrequency = ({ bind = [] }) => bind.some(({ parameter }) => parameter === 'frequency');
    this.#hand.showFrequencyIsBound(variables.some(drivesFrequency));
  }

  /** A value has taken effect. */
  showValue(name, value, isOwn) {
    this.#variables.receive(name, value, isOwn);
  }

  /** The answer to a request to set a variable will have this number. */
  expectAck(ack, name) {
    this.#variables.expectAck(ack, name);
  }

  /** The relay refused a request. */
  showRefusal(ack) {
    this.#variables.refuse(ack);
  }

  showVolume(volume) {
    showVolume(volume);
  }

  showMuted(isMuted) {
    showMuted(isMuted);
  }

  showExtraLatency(millis) {
    showExtraLatency(millis);
  }

  showKeepsAwake(isOffered, keepsAwake) {
    showKeepsAwake(isOffered, keepsAwake);
  }

  showName(name) {
    showName(name);
  }

  /** See machine.js. */
  showMachine(facts) {
    showFacts(facts);
  }

  /** See machine.js. */
  showSyncStatus(text) {
    showSyncStatus(text);
  }
}

/** @param {import('./status-line.js').Shown | null} shown */
function showStatus(shown) {
  const message = element('message');
  message.hidden = shown === null;
  if (shown === null) return;
  message.dataset.level = shown.level;
  message.textContent = shown.text;
}
