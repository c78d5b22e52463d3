// The list of sounds to choose from. One of many is found by a part of its name.

/** Of more sounds than this the list is long, and has a field to find one. */
const MANY = 24;

const element = (id) => document.getElementById(id);

export class SoundList {
  #names = [];
  /** @type {Map<string, HTMLLabelElement>} */
  #labels = new Map();

  /** @param {(name: string) => void} onChoose */
  constructor(onChoose) {
    element('sound').addEventListener('change', ({ target }) => onChoose(target.value));
    const find = element('find');
    find.addEventListener('input', () => this.#filter());
    // What is typed next replaces what was looked for last.
    find.addEventListener('focus', () => find.select());
    find.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      const first = [...this.#labels.values()].find((label) => !label.hidden);
      if (!first) return;
      first.firstChild.checked = true;
      onChoose(first.dataset.sound);
      find.blur();
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
    element('stage').classList.toggle('many', names.length > MANY);
    element('find-strip').hidden = names.length <= MANY;
    if (names.length <= MANY) element('find').value = '';
    this.#filter();
  }

  #filter() {
    const part = simplified(element('find').value.trim());
    let found = 0;
    for (const [name, label] of this.#labels) {
      const isFound = simplified(name).includes(part);
      label.hidden = !isFound;
      if (isFound) found += 1;
    }
    const all = this.#names.length;
    element('found').textContent = part === '' ? `${all} sounds` : `${found} of ${all}`;
  }
}

function labelOf(name) {
  const label = document.createElement('label');
  const radio = document.createElement('input');
  const word = document.createElement('span');
  radio.type = 'radio';
  radio.name = 'sound';
  radio.value = name;
  word.textContent = name;
  label.dataset.sound = name;
  label.title = name;
  label.append(radio, word);
  return label;
}

/** Names that look alike are found alike, in whatever case and with or without accents. */
function simplified(name) {
  return name.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
