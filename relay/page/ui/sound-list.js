// The list of sounds, with a search field if it is long.

import { element } from './dom.js';
import { matcher } from '../state/search.js';

/** A list of more sounds than this has a search field. */
const MANY = 24;

export class SoundList {
  #names = [];
  /** @type {Map<string, HTMLLabelElement>} */
  #labels = new Map();

  /** @param {(name: string) => void} onChoose */
  constructor(onChoose) {
    element('sound').addEventListener('change', ({ target }) => onChoose(target.value));
    const search = element('search');
    search.addEventListener('input', () => this.#filter());
    // Typing replaces the previous search.
    search.addEventListener('focus', () => search.select());
    search.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      const first = [...this.#labels.values()].find((label) => !label.hidden);
      if (!first) return;
      first.firstChild.checked = true;
      onChoose(first.dataset.sound);
      search.blur();
    });
  }

  /**
   * Shows the bank, in the relay's order.
   * @param {string[]} names
   * @param {string} chosen
   * @param {(name: string) => boolean} isReady
   */
  show(names, chosen, isReady) {
    if (names.join('\n') !== this.#names.join('\n')) this.#build(names);
    for (const name of names) this.setReady(name, isReady(name));
    const label = this.#labels.get(chosen);
    if (!label) return;
    label.firstChild.checked = true;
    label.scrollIntoView({ block: 'nearest' });
  }

  setReady(name, isReady) {
    this.#labels.get(name)?.classList.toggle('missing', !isReady);
  }

  #build(names) {
    this.#names = names;
    for (const label of this.#labels.values()) label.remove();
    this.#labels = new Map(names.map((name) => [name, labelOf(name)]));
    element('sound').append(...this.#labels.values());
    element('page').classList.toggle('many', names.length > MANY);
    element('search-bar').hidden = names.length <= MANY;
    if (names.length <= MANY) element('search').value = '';
    this.#filter();
  }

  #filter() {
    const query = element('search').value;
    const matches = matcher(query);
    let found = 0;
    for (const [name, label] of this.#labels) {
      const isFound = matches(name);
      if (label.hidden === isFound) label.hidden = !isFound;
      if (isFound) found += 1;
    }
    const all = this.#names.length;
    element('found').textContent = query.trim() === '' ? `${all} sounds` : `${found} of ${all}`;
  }
}

function labelOf(name) {
  const label = document.createElement('label');
  const radio = document.createElement('input');
  const text = document.createElement('span');
  radio.type = 'radio';
  radio.name = 'sound';
  radio.value = name;
  text.textContent = name;
  label.dataset.sound = name;
  label.title = name;
  label.append(radio, text);
  return label;
}
