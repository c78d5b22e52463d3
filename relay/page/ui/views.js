// The views of the page, and the drawer beside the pads where there is no room for both of its parts.

import { VIEWS } from '../state/settings.js';
import { element } from './dom.js';

const DRAWERS = ['hand', 'variables'];

export class Views {
  #page = element('page');
  #onView;

  /** @param {(view: string) => void} onView */
  constructor(onView) {
    this.#onView = onView;
    for (const view of VIEWS) {
      element(`view-${view}`).addEventListener('click', () => {
        this.show(view);
        this.#onView(view);
      });
    }
    for (const drawer of DRAWERS) {
      element(`${drawer}-toggle`).addEventListener('click', () => {
        this.#open(this.#page.dataset.drawer === drawer ? 'none' : drawer);
      });
    }
    this.#open('none');
  }

  get current() {
    return this.#page.dataset.view;
  }

  /** @param {string} view */
  show(view) {
    this.#page.dataset.view = view;
    for (const other of VIEWS) {
      const tab = element(`view-${other}`);
      if (other === view) tab.setAttribute('aria-current', 'page');
      else tab.removeAttribute('aria-current');
    }
  }

  #open(drawer) {
    this.#page.dataset.drawer = drawer;
    for (const other of DRAWERS) {
      element(`${other}-toggle`).setAttribute('aria-expanded', String(other === drawer));
    }
  }
}
