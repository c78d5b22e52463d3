// What is seen and touched. Shows what it is told and reports gestures; decides nothing.
//
// Texts from the network are set as text only, never as markup.

import { Bang } from './bang-button.js';
import { Gate } from './token-form.js';
import { Messages } from './status-line.js';
import { SoundList } from './sound-list.js';
import { LOOSE_MICROS, inWords } from '../state/sync-status.js';

/** The meter's floor, in dB below full scale. */
const METER_FLOOR_DB = -48;

/** Ticks around the bang, as instrument.css draws them. */
const METER_TICKS = 60;

const STATE_WORDS = {
  connecting: 'Connecting',
  connected: 'Connected',
  lost: 'Lost, retrying',
  refused: 'Not let in',
};

const KIND_WORDS = {
  window: 'window',
  headless: 'player',
  page: 'page',
  remote: 'remote',
  plain: 'plain client',
};

const element = (id) => document.getElementById(id);

/**
 * @typedef {object} Gestures What a person did.
 * @property {() => void} start
 * @property {(token: string) => void} token
 * @property {() => void} bang
 * @property {() => void} stop
 * @property {(name: string) => void} choose a sound
 * @property {(volume: number) => void} volume 0 to 1
 * @property {(millis: number) => void} trim
 * @property {(name: string) => void} rename
 */

export class Ui {
  #on;
  #bang;
  #gate;
  #messages = new Messages((said) => showSaid(said));
  /** Whether a touch is needed before anything sounds. */
  #needsTouch = false;
  #sounds;
  #metering = false;
  #shownLevel = 0;

  /** @param {Gestures} on */
  constructor(on) {
    this.#on = on;
    this.#bang = new Bang(on.bang);
    this.#gate = new Gate(on.token);
    element('start').addEventListener('click', () => on.start());
    element('stop').addEventListener('click', () => on.stop());
    document.addEventListener('keydown', ({ key, repeat }) => {
      if (key === 'Escape' && !repeat) on.stop();
    });
    this.#sounds = new SoundList((name) => {
      this.#showChoice(name);
      on.choose(name);
    });
    element('volume').addEventListener('input', ({ target }) => {
      this.showVolume(target.value / 100);
      on.volume(target.value / 100);
    });
    this.#listenToTrim();
    const name = element('name');
    name.addEventListener('change', () => on.rename(name.value));
    name.addEventListener('keydown', ({ key }) => {
      if (key === 'Enter') name.blur();
    });
  }

  /** @param {import('../net/connection.js').State | 'refused'} state */
  showState(state) {
    const shown = element('state');
    shown.dataset.state = state;
    shown.textContent = STATE_WORDS[state];
    element('page').classList.toggle('apart', state !== 'connected');
  }

  /** @param {number | null} micros */
  showLead(micros) {
    element('lead').hidden = micros === null;
    if (micros !== null) element('lead-value').textContent = inWords(micros);
  }

  /** Something that has just happened, in plain words; it goes by itself. */
  say(words, level = 'warn') {
    this.#messages.say(words, level);
  }

  /** What was said is true no more. */
  takeBack(words) {
    this.#messages.takeBack(words);
  }

  /** What is amiss as long as it is; `null` takes it back. */
  showProblem(words) {
    this.#messages.notice(words);
  }

  /** Asks for the relay's token, because of `why`; with `null` no more. */
  askForToken(why) {
    if (why === null) this.#gate.close();
    else this.#gate.open(why);
    this.#showCover();
  }

  /** Covers the instrument until a touch has started the audio. */
  askForTouch(words, why) {
    element('start-word').textContent = words;
    element('start-why').textContent = why;
    this.#needsTouch = true;
    this.#showCover();
  }

  /** The audio runs: the instrument is free. */
  touched() {
    this.#needsTouch = false;
    this.#showCover();
  }

  /** The cover gives way to the question for the token: its answer is a touch as well. */
  #showCover() {
    const start = element('start');
    const covers = this.#needsTouch && !this.#gate.isOpen;
    if (start.hidden === !covers) return;
    start.hidden = !covers;
    element('page').inert = covers;
    if (covers) start.focus({ preventScroll: true });
    else if (!this.#gate.isOpen) this.#bang.focus();
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

  /** Whether a sound could be heard at once. */
  showReady(name, isReady) {
    this.#sounds.setReady(name, isReady);
  }

  #showChoice(name) {
    element('bang-sound').textContent = name;
    const bang = element('bang');
    bang.setAttribute('aria-label', name ? `Bang: ${name}` : 'Bang');
  }

  /** The last trigger heard of. @param {{sound: string, by: {id: number, name: string}}} trigger */
  showLast({ sound, by }, isMine) {
    element('last-sound').textContent = sound;
    element('last-by').textContent = isMine ? 'by you' : `by ${by.name}`;
  }

  /** Flashes once; to be called when the trigger is heard. */
  flash() {
    this.#bang.flash();
  }

  /**
   * @param {object[]} clients as the relay lists them
   * @param {number} total how many there are, listed or not
   * @param {number | null} me this client's number
   */
  showRoster(clients, total, me) {
    element('total').textContent = total === 0 ? '' : String(total);
    element('nobody').hidden = total > 0;
    const rows = clients.map((client) => {
      const row = document.createElement('li');
      row.classList.toggle('me', client.id === me);
      const [who, kind, sync] = ['who', 'kind', 'sync'].map((name) => {
        const part = document.createElement('span');
        part.className = name;
        row.append(part);
        return part;
      });
      who.textContent = client.name;
      kind.textContent = KIND_WORDS[client.kind] ?? client.kind;
      const error = client.report?.clock_error_micros;
      if (client.straggler) {
        sync.textContent = 'joins late';
        sync.classList.add('warn');
      } else if (error !== undefined) {
        sync.textContent = `within ±${inWords(error)}`;
        sync.classList.add(error > LOOSE_MICROS ? 'warn' : 'good');
      }
      return row;
    });
    if (total > clients.length && clients.length > 0) {
      const more = document.createElement('li');
      more.className = 'more';
      more.textContent = `and ${total - clients.length} more`;
      rows.push(more);
    }
    element('roster').replaceChildren(...rows);
  }

  showVolume(volume) {
    const percent = Math.round(volume * 100);
    const slider = element('volume');
    slider.value = String(percent);
    slider.style.setProperty('--fill', `${percent}%`);
    element('volume-value').textContent = String(percent);
  }

  showTrim(millis) {
    element('trim').value = String(millis);
  }

  showName(name) {
    element('name').value = name;
  }

  /**
   * How this machine is doing.
   * @param {object} facts
   * @param {number | null} facts.errorMicros
   * @param {boolean} facts.loose whether that is too much
   * @param {number | null} facts.latencyMicros
   * @param {number} facts.triggers
   * @param {number} facts.late how many of them
   * @param {number | null} facts.xruns null where the browser does not tell
   */
  showFacts({ errorMicros, loose, latencyMicros, triggers, late, xruns }) {
    const show = (fact, words, warns) => {
      element(fact).textContent = words;
      element(fact).classList.toggle('warn', warns);
    };
    const clock =
      errorMicros === null ? 'not known yet' : `within ±${inWords(errorMicros)} of the relay`;
    show('fact-clock', clock, loose);
    show('fact-output', latencyMicros === null ? 'no output' : inWords(latencyMicros), false);
    show('fact-late', triggers === 0 ? 'none yet' : `${late} of ${triggers}`, late > 0);
    show('fact-xruns', xruns === null ? 'not told' : xruns === 0 ? 'none' : String(xruns), xruns > 0);
  }

  /** Why this machine may be heard apart from the others; `null` if nothing is amiss. */
  showStanding(words) {
    element('standing').hidden = words === null;
    // Not written anew with each report: a screen reader would read it out again.
    if (words !== element('standing').textContent) element('standing').textContent = words ?? '';
  }

  /**
   * Moves the meter as long as something sounds.
   * @param {() => number} peak 0 to 1
   * @param {() => boolean} isSounding
   */
  meter(peak, isSounding) {
    if (this.#metering) return;
    this.#metering = true;
    const frame = () => {
      const decibels = 20 * Math.log10(Math.max(peak(), 1e-6));
      const level = Math.min(1, Math.max(0, 1 - decibels / METER_FLOOR_DB));
      // Up at once, down at the speed at which a needle falls.
      this.#shownLevel = Math.max(level, this.#shownLevel - 0.025);
      const lit = Math.round(this.#shownLevel * METER_TICKS) / METER_TICKS;
      element('meter-arc').style.strokeDasharray = `${lit * 100} 100`;
      this.#metering = this.#shownLevel > 0 || isSounding();
      if (this.#metering) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  #listenToTrim() {
    const trim = element('trim');
    const set = (millis) => {
      const most = Number(trim.max);
      // Tenths are heard where two machines stand side by side, and can be measured.
      const bounded = Math.min(most, Math.max(-most, Math.round(millis * 10) / 10 || 0));
      this.showTrim(bounded);
      this.#on.trim(bounded);
    };
    trim.addEventListener('change', () => set(Number(trim.value)));
    element('trim-less').addEventListener('click', () => set(Number(trim.value) - 1));
    element('trim-more').addEventListener('click', () => set(Number(trim.value) + 1));
  }
}

/** @param {import('./status-line.js').Said | null} said */
function showSaid(said) {
  const message = element('message');
  message.hidden = said === null;
  if (said === null) return;
  message.dataset.level = said.level;
  message.textContent = said.words;
}
