// What is seen and touched. Shows what it is told and reports gestures; decides nothing.
//
// Texts from the network are set as text only, never as markup.

import { LOOSE_MICROS, inWords } from './standing.js';

/** How long the flash stands before it fades, in ms: long enough to be seen on any screen. */
const FLASH_MILLIS = 70;

/** How long a message stays that nothing takes back, in ms. */
const MESSAGE_MILLIS = 6000;

/** The meter's floor, in dB below full scale. */
const METER_FLOOR_DB = -48;

/** Ticks around the bang, as instrument.css draws them. */
const METER_TICKS = 60;

const STATE_WORDS = { connecting: 'Connecting', connected: 'Connected', lost: 'Lost, retrying' };

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
 * @property {() => void} bang
 * @property {() => void} stop
 * @property {(name: string) => void} choose a sound
 * @property {(volume: number) => void} volume 0 to 1
 * @property {(millis: number) => void} trim
 * @property {(name: string) => void} rename
 */

export class Ui {
  #on;
  #heard = 0;
  #flashTimer = null;
  #messageTimer = null;
  #soundNames = [];
  #metering = false;
  #shownLevel = 0;

  /** @param {Gestures} on */
  constructor(on) {
    this.#on = on;
    this.#listenToBang();
    element('start').addEventListener('click', () => on.start());
    element('stop').addEventListener('click', () => on.stop());
    document.addEventListener('keydown', ({ key, repeat }) => {
      if (key === 'Escape' && !repeat) on.stop();
    });
    element('sound').addEventListener('change', ({ target }) => {
      this.#showChoice(target.value);
      on.choose(target.value);
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

  /** @param {import('./connection.js').State} state */
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

  /** Something that matters to the player, in plain words; `null` takes it back. */
  say(words, { level = 'warn', stays = false } = {}) {
    clearTimeout(this.#messageTimer);
    const message = element('message');
    message.hidden = words === null;
    if (words === null) return;
    message.dataset.level = level;
    message.textContent = words;
    if (!stays) this.#messageTimer = setTimeout(() => this.say(null), MESSAGE_MILLIS);
  }

  /** Covers the instrument until a touch has started the audio. */
  askForTouch(words, why) {
    element('start-word').textContent = words;
    element('start-why').textContent = why;
    element('start').hidden = false;
    element('page').inert = true;
    element('start').focus({ preventScroll: true });
  }

  /** The audio runs: the instrument is free. */
  touched() {
    const start = element('start');
    if (start.hidden) return;
    start.hidden = true;
    element('page').inert = false;
    element('bang').focus({ preventScroll: true, focusVisible: false });
  }

  /**
   * Shows the bank, in the relay's order.
   * @param {string[]} names
   * @param {string} chosen
   * @param {(name: string) => boolean} isLoaded
   */
  showSounds(names, chosen, isLoaded) {
    const field = element('sound');
    if (names.join('\n') !== this.#soundNames.join('\n')) {
      this.#soundNames = names;
      field.querySelectorAll('label').forEach((label) => label.remove());
      for (const name of names) {
        const label = document.createElement('label');
        const radio = document.createElement('input');
        const word = document.createElement('span');
        radio.type = 'radio';
        radio.name = 'sound';
        radio.value = name;
        word.textContent = name;
        label.dataset.sound = name;
        label.append(radio, word);
        field.append(label);
      }
    }
    for (const label of field.querySelectorAll('label')) {
      const name = label.dataset.sound;
      label.firstChild.checked = name === chosen;
      label.classList.toggle('missing', !isLoaded(name));
    }
    this.#showChoice(chosen);
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
    this.#heard += 1;
    const bang = element('bang');
    bang.dataset.heard = String(this.#heard);
    bang.classList.add('flash');
    clearTimeout(this.#flashTimer);
    this.#flashTimer = setTimeout(() => bang.classList.remove('flash'), FLASH_MILLIS);
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

  /** A bang is the moment the finger lands or the key goes down, not when it is lifted. */
  #listenToBang() {
    const bang = element('bang');
    const press = () => {
      bang.classList.add('pressed');
      this.#on.bang();
    };
    const release = () => bang.classList.remove('pressed');
    bang.addEventListener('pointerdown', (event) => {
      if (event.button === 0) press();
    });
    for (const end of ['pointerup', 'pointercancel', 'pointerleave']) {
      bang.addEventListener(end, release);
    }
    bang.addEventListener('contextmenu', (event) => event.preventDefault());

    // Keys that bang, and are held: their release must not click as well.
    const held = new Set();
    document.addEventListener('keydown', (event) => {
      if (!bangs(event)) return;
      event.preventDefault();
      if (event.repeat || held.has(event.code)) return;
      held.add(event.code);
      press();
    });
    document.addEventListener('keyup', (event) => {
      if (!held.delete(event.code)) return;
      event.preventDefault();
      release();
    });
    window.addEventListener('blur', () => {
      held.clear();
      release();
    });
    // Neither finger nor key: a screen reader's own press.
    bang.addEventListener('click', (event) => {
      if (event.detail === 0) this.#on.bang();
    });
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

/** Whether a key is a bang: Space and Enter, unless what has the focus needs them itself. */
function bangs(event) {
  if (event.code !== 'Space' && event.key !== 'Enter') return false;
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  if (element('page').inert) return false;
  const focused = event.target.closest?.('button, input');
  if (!focused || focused.id === 'bang') return true;
  return focused.type === 'radio' || focused.type === 'range';
}
