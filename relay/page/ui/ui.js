// The user interface: displays what it is given, and turns gestures into actions. Decides nothing.
//
// Texts from the network are set as text only, never as markup.

import { formatMicros } from '../state/units.js';
import { BangButton } from './bang-button.js';
import { Cover } from './cover.js';
import { element, setText, takesText } from './dom.js';
import { FlashLimit } from './flash-limit.js';
import { HandStrip } from './hand-strip.js';
import { LevelMeter } from './level-meter.js';
import { listenToMachine, showExtraLatency, showFacts, showName, showSyncStatus } from './machine.js';
import { Pads } from './pads.js';
import { Roster } from './roster.js';
import { SoundList } from './sound-list.js';
import { StatusLine } from './status-line.js';
import { Theme } from './theme.js';
import { TokenForm } from './token-form.js';
import { VariablePanel } from './variable-panel.js';
import { Views } from './views.js';

const STATE_TEXTS = {
  connecting: 'Connecting',
  connected: 'Connected',
  lost: 'Lost, retrying',
  rejected: 'Rejected',
};

/**
 * @typedef {(
 *   {type: 'start'} |
 *   {type: 'token', token: string} |
 *   {type: 'bang'} |
 *   {type: 'press', sound: string, hitDb: number} |
 *   {type: 'stop'} |
 *   {type: 'stop-sound', sound: string} |
 *   {type: 'choose', sound: string} |
 *   {type: 'sight', sounds: string[]} |
 *   {type: 'hand', changed?: object} |
 *   {type: 'set', name: string, value: any, isLast: boolean, isGliding: boolean, whose: string} |
 *   {type: 'assign', client: number, seat?: number, tags?: string[]} |
 *   {type: 'volume', volume: number} |
 *   {type: 'extra-latency', millis: number} |
 *   {type: 'rename', name: string} |
 *   {type: 'view', view: string} |
 *   {type: 'theme', theme: string}
 * )} Action What a gesture asks for. session/actions.js interprets it.
 */

export class Ui {
  #bangButton;
  #cover;
  #flashLimit = new FlashLimit();
  #hand;
  #meter = new LevelMeter();
  #pads;
  #roster;
  #sounds;
  #statusLine = new StatusLine((shown) => showStatus(shown));
  #theme;
  #tokenForm;
  #variables;
  #views;

  /** @param {(action: Action) => void} perform */
  constructor(perform) {
    this.#views = new Views((view) => perform({ type: 'view', view }));
    this.#bangButton = new BangButton(() => perform({ type: 'bang' }));
    this.#tokenForm = new TokenForm((token) => perform({ type: 'token', token }));
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
      () => this.#pads.redraw(),
    );
    this.#hand = new HandStrip(perform);
    this.#variables = new VariablePanel(perform);
    this.#roster = new Roster(perform);
    element('stop').addEventListener('click', () => perform({ type: 'stop' }));
    document.addEventListener('keydown', ({ key, repeat, target }) => {
      if (key !== 'Escape' || repeat) return;
      // In a field, Escape leaves the field: nobody silences a room by leaving a search.
      if (takesText(target)) target.blur();
      else perform({ type: 'stop' });
    });
    element('volume').addEventListener('input', ({ target }) => {
      const volume = target.value / 100;
      this.showVolume(volume);
      perform({ type: 'volume', volume });
    });
    listenToMachine(perform);
    listenToFields(() => this.#bangButton.focus());
  }

  /** @param {string} view */
  showView(view) {
    this.#views.show(view);
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
    element('bang-sound').textContent = name;
    element('bang').setAttribute('aria-label', name ? `Bang: ${name}` : 'Bang');
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
    this.#roster.show(clients, total, ownId);
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
    const percent = Math.round(volume * 100);
    const slider = element('volume');
    slider.value = String(percent);
    slider.style.setProperty('--fill', `${percent}%`);
    setText(element('volume-value'), String(percent));
  }

  showExtraLatency(millis) {
    showExtraLatency(millis);
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

/**
 * Enter leaves a field, and so does a choice made by pointer: the keys play again.
 * @param {() => void} leave
 */
function listenToFields(leave) {
  let isByPointer = false;
  document.addEventListener('pointerdown', () => (isByPointer = true), { capture: true });
  document.addEventListener('keydown', () => (isByPointer = false), { capture: true });
  document.addEventListener('change', ({ target }) => {
    if (target.tagName === 'SELECT' && isByPointer) leave();
  });
  document.addEventListener('keydown', ({ key, target }) => {
    if (key === 'Enter' && takesText(target) && !target.closest('form')) target.blur();
  });
}

/** @param {import('./status-line.js').Shown | null} shown */
function showStatus(shown) {
  const message = element('message');
  message.hidden = shown === null;
  if (shown === null) return;
  message.dataset.level = shown.level;
  message.textContent = shown.text;
}
