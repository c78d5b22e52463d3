// The user interface: displays what it is given, and turns gestures into actions. Decides nothing.
//
// Texts from the network are set as text only, never as markup.

import { formatMicros } from '../state/units.js';
import { BangButton } from './bang-button.js';
import { Cover } from './cover.js';
import { element } from './dom.js';
import { LevelMeter } from './level-meter.js';
import { listenToMachine, showExtraLatency, showFacts, showName, showSyncStatus } from './machine.js';
import { showRoster } from './roster.js';
import { SoundList } from './sound-list.js';
import { StatusLine } from './status-line.js';
import { TokenForm } from './token-form.js';

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
 *   {type: 'stop'} |
 *   {type: 'choose', sound: string} |
 *   {type: 'volume', volume: number} |
 *   {type: 'extra-latency', millis: number} |
 *   {type: 'rename', name: string}
 * )} Action What a gesture asks for. session/actions.js interprets it.
 */

export class Ui {
  #bangButton;
  #cover;
  #meter = new LevelMeter();
  #sounds;
  #statusLine = new StatusLine((shown) => showStatus(shown));
  #tokenForm;

  /** @param {(action: Action) => void} perform */
  constructor(perform) {
    this.#bangButton = new BangButton(() => perform({ type: 'bang' }));
    this.#tokenForm = new TokenForm((token) => perform({ type: 'token', token }));
    // Submitting the token is a gesture as well, so the form takes the place of the cover.
    this.#cover = new Cover(
      () => perform({ type: 'start' }),
      () => this.#tokenForm.isOpen,
      () => this.#bangButton.focus(),
    );
    this.#sounds = new SoundList((sound) => {
      this.#showChoice(sound);
      perform({ type: 'choose', sound });
    });
    element('stop').addEventListener('click', () => perform({ type: 'stop' }));
    document.addEventListener('keydown', ({ key, repeat }) => {
      if (key === 'Escape' && !repeat) perform({ type: 'stop' });
    });
    element('volume').addEventListener('input', ({ target }) => {
      const volume = target.value / 100;
      this.showVolume(volume);
      perform({ type: 'volume', volume });
    });
    listenToMachine(perform);
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
   * @param {string[]} names
   * @param {string} chosen
   * @param {(name: string) => boolean} isReady
   */
  showSounds(names, chosen, isReady) {
    this.#sounds.show(names, chosen, isReady);
    this.#showChoice(chosen);
  }

  /** Whether a sound is loaded. */
  showReady(name, isReady) {
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

  /** Flashes once, at the moment a trigger is heard. */
  flash() {
    this.#bangButton.flash();
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
    showRoster(clients, total, ownId);
  }

  showVolume(volume) {
    const percent = Math.round(volume * 100);
    const slider = element('volume');
    slider.value = String(percent);
    slider.style.setProperty('--fill', `${percent}%`);
    element('volume-value').textContent = String(percent);
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

/** @param {import('./status-line.js').Shown | null} shown */
function showStatus(shown) {
  const message = element('message');
  message.hidden = shown === null;
  if (shown === null) return;
  message.dataset.level = shown.level;
  message.textContent = shown.text;
}
