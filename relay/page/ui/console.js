// All machines, as a list or on a plan: searched, filtered, sorted and selected.
//
// Draws while it is in sight, once a frame at most, whatever comes from the relay.

import { FILTERS, MachineList, SORTS, countsOf, inShownOrder, listed } from '../state/machine-list.js';
import { Selection } from '../state/selection.js';
import { needsHelp } from '../state/trouble.js';
import { element, make, setText } from './dom.js';
import { MachineRow } from './machine-row.js';
import { Plan } from './plan.js';
import { VirtualList } from './virtual-list.js';

const FILTER_TEXTS = { all: 'All', trouble: 'In trouble', players: 'Players', away: 'Away' };

const NOBODY_TEXTS = {
  all: 'No machine has that name, tag or seat.',
  trouble: 'No machine is in trouble.',
  players: 'No player is connected.',
  away: 'No machine is away.',
};

/** How long after the last touch of the list its order stays as it is, in ms. */
const AIM_MILLIS = 2500;

export class Console {
  #on;
  #list = new MachineList();
  #selection = new Selection();
  #view;
  #plan;
  #filters;
  /** @type {import('../state/machines.js').Machine[]} */
  #machines = [];
  #standard = { bank: 0, sounds: 0, maxLeadMicros: 0, relay: '' };
  #how = { sort: SORTS[0], filter: FILTERS[0], query: '' };
  #aimedAt = -Infinity;
  #aimTimer = null;
  #fadeTimer = null;
  #isDue = false;

  /**
   * @param {object} on
   * @param {() => boolean} on.isVisible
   * @param {(machines: import('../state/machines.js').Machine[], rows: object[]) => void} on.selected
   * @param {(placed: object[]) => void} on.place
   * @param {(machines: object[]) => void} on.number
   */
  constructor(on) {
    this.#on = on;
    const list = element('machine-list');
    this.#view = new VirtualList(list, {
      keyOf: ({ machine }) => machine.key,
      createRow: () => new MachineRow((key) => this.#selection.has(key)),
      choose: ({ machine }, how) => this.#choose(machine.key, how),
      key: (event) => this.#key(event),
    });
    for (const event of ['pointermove', 'pointerdown', 'keydown']) {
      list.addEventListener(event, () => (this.#aimedAt = performance.now()), { passive: true });
    }
    this.#plan = new Plan({
      choose: (key, how) => this.#choose(key, how),
      isSelected: (key) => this.#selection.has(key),
      place: on.place,
      number: on.number,
    });
    this.#filters = new Map(FILTERS.map((filter) => [filter, this.#chip(filter)]));
    element('search-machines').addEventListener('input', ({ target }) => this.#change({ query: target.value }));
    element('sort-machines').addEventListener('change', ({ target }) => this.#change({ sort: target.value }));
    element('shape').addEventListener('change', ({ target }) => {
      element('room').dataset.shape = target.value;
      this.draw();
    });
  }

  /** @param {import('../state/machines.js').Machine[]} machines */
  show(machines, standard) {
    this.#machines = machines;
    this.#standard = standard;
    if (this.#selection.keep(machines.map(({ key }) => key))) this.#tellSelection();
    this.draw();
  }

  /** Draws with the next frame. */
  draw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      if (this.#on.isVisible()) this.#draw();
    });
  }

  /** Selects one machine, and shows it. */
  select(key) {
    if (!this.#selection.has(key) || this.#selection.size > 1) this.#choose(key, 'only');
    this.#change({ filter: 'all', query: '' });
    element('search-machines').value = '';
    requestAnimationFrame(() => this.#view.reveal(key));
  }

  clearSelection() {
    this.#selection.clear();
    this.#tellSelection();
    this.draw();
  }

  /** Selects what the list shows. */
  selectAll() {
    this.#selection.all(this.#view.order);
    this.#tellSelection();
    this.draw();
  }

  #draw() {
    const rows = this.#rows;
    this.#showCounts(rows);
    this.#awaitFading(rows);
    if (element('room').dataset.shape === 'plan') {
      this.#plan.show(rows);
    } else {
      const found = listed(rows, this.#how);
      // Nobody misses a row that jumps away from under the pointer.
      const isAimed = performance.now() - this.#aimedAt < AIM_MILLIS;
      const shown = isAimed ? inShownOrder(found, this.#view.order) : found;
      clearTimeout(this.#aimTimer);
      if (isAimed) this.#aimTimer = setTimeout(() => this.draw(), AIM_MILLIS);
      this.#view.show(shown);
      element('no-machine').hidden = shown.length > 0;
      setText(element('no-machine'), NOBODY_TEXTS[this.#how.query === '' ? this.#how.filter : 'all']);
    }
    this.#tellSelection();
  }

  get #rows() {
    return this.#list.rows(this.#machines, this.#standard, performance.now());
  }

  /** What is recent fades, whether or not a message comes. */
  #awaitFading(rows) {
    clearTimeout(this.#fadeTimer);
    const next = Math.min(...rows.map(({ until }) => until));
    if (next === Infinity) return;
    this.#fadeTimer = setTimeout(() => this.draw(), Math.max(0, next - performance.now()) + 1);
  }

  #tellSelection() {
    const selected = this.#rows.filter(({ machine }) => this.#selection.has(machine.key));
    this.#on.selected(selected.map(({ machine }) => machine), selected);
  }

  #showCounts(rows) {
    const counts = countsOf(rows);
    for (const [filter, { chip, count }] of this.#filters) {
      setText(count, String(counts[filter]));
      chip.setAttribute('aria-pressed', String(filter === this.#how.filter));
      if (filter === 'trouble') chip.dataset.level = rows.some(({ troubles }) => needsHelp(troubles)) ? 'bad' : '';
    }
  }

  #choose(key, how) {
    if (how === 'only') this.#selection.only(key);
    else if (how === 'toggle') this.#selection.toggle(key);
    else this.#selection.extend(key, this.#view.order);
    this.#tellSelection();
    this.#view.refresh();
    this.draw();
  }

  #key({ key, ctrlKey, metaKey }) {
    if (key !== 'a' || !(ctrlKey || metaKey)) return false;
    this.selectAll();
    return true;
  }

  #change(how) {
    this.#how = { ...this.#how, ...how };
    this.#aimedAt = -Infinity;
    this.draw();
  }

  #chip(filter) {
    const count = make('span.count');
    const chip = make('button.filter', { type: 'button' }, FILTER_TEXTS[filter], count);
    chip.addEventListener('click', () => this.#change({ filter }));
    element('filters').append(chip);
    return { chip, count };
  }
}
