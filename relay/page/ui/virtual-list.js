// A list of which only the rows in sight are in the document: a thousand machines cost as much as twenty.
//
// Rows have one height, the property --row-height of the list. They are moved by pointer and by keys; the list
// has one stop of the Tab key.

import { make } from './dom.js';

/** Rows beyond the edges of the view that are there already when one scrolls. */
const OVERSCAN = 4;

/** The height of a row if the style sheet names none, in pixels. */
const FALLBACK_HEIGHT = 48;

/** How an item is chosen: alone, in addition, or with all up to it. @typedef {'only' | 'toggle' | 'extend'} How */

/**
 * @template T
 * @typedef {{element: HTMLElement, show: (item: T, index: number) => void}} Row
 */

/** @template T */
export class VirtualList {
  #viewport;
  #space = make('div.virtual-space');
  #on;
  /** @type {T[]} */
  #items = [];
  /** By key, the rows in the document. @type {Map<string, Row<T>>} */
  #rows = new Map();
  /** Rows that are not needed now. @type {Row<T>[]} */
  #spare = [];
  #height = FALLBACK_HEIGHT;
  /** The key of the item on which keys act. @type {string | null} */
  #active = null;

  /**
   * @param {HTMLElement} viewport
   * @param {object} on
   * @param {(item: T) => string} on.keyOf
   * @param {() => Row<T>} on.createRow
   * @param {(item: T, how: How) => void} on.choose
   * @param {(event: KeyboardEvent, item: T | undefined) => boolean} [on.key] whether a key is handled
   */
  constructor(viewport, on) {
    this.#viewport = viewport;
    this.#on = on;
    viewport.append(this.#space);
    viewport.addEventListener('scroll', () => this.#draw(), { passive: true });
    viewport.addEventListener('click', (event) => this.#clicked(event));
    viewport.addEventListener('keydown', (event) => this.#keyed(event));
    viewport.addEventListener('focus', () => this.refresh());
    viewport.addEventListener('blur', () => this.refresh());
    new ResizeObserver(() => this.#resized()).observe(viewport);
  }

  get items() {
    return this.#items;
  }

  get rowHeight() {
    return this.#height;
  }

  /** The keys of the items, in order. */
  get order() {
    return this.#items.map(this.#on.keyOf);
  }

  /** Shows items. @param {T[]} items */
  show(items) {
    this.#items = items;
    this.#draw(true);
  }

  /** What rows show besides their items has changed. */
  refresh() {
    this.#draw(true);
  }

  /** Scrolls to an item, and lets keys act on it. */
  reveal(key) {
    const at = this.order.indexOf(key);
    if (at < 0) return;
    this.#active = key;
    const top = at * this.#height;
    const { scrollTop, clientHeight } = this.#viewport;
    if (top < scrollTop) this.#viewport.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) {
      this.#viewport.scrollTop = top + this.#height - clientHeight;
    }
    this.#draw(true);
  }

  /** The index at a vertical position on the screen. */
  indexAt(clientY) {
    const { top } = this.#space.getBoundingClientRect();
    return Math.max(0, Math.min(this.#items.length - 1, Math.floor((clientY - top) / this.#height)));
  }

  #resized() {
    const height = parseFloat(getComputedStyle(this.#viewport).getPropertyValue('--row-height'));
    this.#height = height > 0 ? height : FALLBACK_HEIGHT;
    this.#draw(true);
  }

  /** @param {boolean} isChanged whether the rows that are there already must be shown again */
  #draw(isChanged = false) {
    const { scrollTop, clientHeight } = this.#viewport;
    this.#space.style.height = `${this.#items.length * this.#height}px`;
    const first = Math.max(0, Math.floor(scrollTop / this.#height) - OVERSCAN);
    const count = clientHeight === 0 ? 0 : Math.ceil(clientHeight / this.#height) + 2 * OVERSCAN;
    const shown = this.#items.slice(first, first + count);
    const keys = new Set(shown.map(this.#on.keyOf));
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      this.#rows.delete(key);
      row.element.hidden = true;
      this.#spare.push(row);
    }
    shown.forEach((item, at) => this.#place(item, first + at, isChanged));
    const active = this.#rows.get(this.#active);
    if (active) this.#viewport.setAttribute('aria-activedescendant', active.element.id);
    else this.#viewport.removeAttribute('aria-activedescendant');
  }

  #place(item, index, isChanged) {
    const key = this.#on.keyOf(item);
    const known = this.#rows.get(key);
    const row = known ?? this.#spare.pop() ?? this.#create();
    if (!known) {
      this.#rows.set(key, row);
      row.element.hidden = false;
      row.element.dataset.key = key;
      row.element.id = `${this.#viewport.id}-${key}`;
    }
    if (!known || isChanged) row.show(item, index);
    row.element.style.transform = `translateY(${index * this.#height}px)`;
    row.element.setAttribute('aria-posinset', String(index + 1));
    row.element.setAttribute('aria-setsize', String(this.#items.length));
    const hasFocus = key === this.#active && document.activeElement === this.#viewport;
    row.element.classList.toggle('active', hasFocus);
  }

  #create() {
    const row = this.#on.createRow();
    row.element.setAttribute('role', 'option');
    this.#space.append(row.element);
    return row;
  }

  #itemOf(target) {
    const key = target.closest?.('[data-key]')?.dataset.key;
    return this.#items.find((item) => this.#on.keyOf(item) === key);
  }

  #clicked(event) {
    const item = this.#itemOf(event.target);
    if (!item || event.target.closest('button, input, .no-choice')) return;
    this.#active = this.#on.keyOf(item);
    const isAdded = event.ctrlKey || event.metaKey || event.target.closest('.pick') !== null;
    this.#on.choose(item, event.shiftKey ? 'extend' : isAdded ? 'toggle' : 'only');
  }

  #keyed(event) {
    // Space and Enter would bang.
    if (event.target !== this.#viewport) return;
    const at = this.order.indexOf(this.#active);
    const item = this.#items[at];
    const page = Math.max(1, Math.floor(this.#viewport.clientHeight / this.#height) - 1);
    const last = this.#items.length - 1;
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const { key } = event;
    if (key in moves && !event.altKey && !event.ctrlKey && !event.metaKey && this.#items.length > 0) {
      const to = at < 0 ? 0 : Math.max(0, Math.min(last, at + moves[key]));
      this.reveal(this.#on.keyOf(this.#items[to]));
      if (event.shiftKey) this.#on.choose(this.#items[to], 'extend');
    } else if ((key === ' ' || key === 'Enter') && item) {
      if (!event.repeat) this.#on.choose(item, key === ' ' ? 'toggle' : 'only');
    } else if (!this.#on.key?.(event, item)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
