// The theme: dark, light or high contrast, as chosen or as the system asks for. tokens.css has the colours.

import { element } from './dom.js';

const QUERIES = [
  ['contrast', '(prefers-contrast: more)'],
  ['light', '(prefers-color-scheme: light)'],
];

export class Theme {
  #chosen = 'auto';
  #onChange;

  /**
   * @param {(theme: string) => void} onChoose
   * @param {() => void} onChange called when the colours have changed
   */
  constructor(onChoose, onChange) {
    this.#onChange = onChange;
    element('theme').addEventListener('change', ({ target }) => {
      this.show(target.value);
      onChoose(target.value);
    });
    for (const [, query] of QUERIES) matchMedia(query).addEventListener('change', () => this.#apply());
  }

  /** @param {string} theme */
  show(theme) {
    this.#chosen = theme;
    element('theme').value = theme;
    this.#apply();
  }

  #apply() {
    const asked = QUERIES.find(([, query]) => matchMedia(query).matches)?.[0] ?? 'dark';
    document.documentElement.dataset.theme = this.#chosen === 'auto' ? asked : this.#chosen;
    const background = getComputedStyle(document.documentElement).getPropertyValue('--background');
    document.querySelector('meta[name=theme-color]').content = background.trim();
    this.#onChange();
  }
}
