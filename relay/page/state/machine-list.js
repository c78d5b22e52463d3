// Which machines the list shows, and in which order.
//
// Pure: the time goes in, in ms.

import { fadesAt, isPlayer, recentOf } from './machines.js';
import { matcher } from './search.js';
import { needsHelp, troublesOf, weightOf } from './trouble.js';

/** What machines are sorted by; the first is the default. */
export const SORTS = ['trouble', 'seat', 'name'];

/** Which machines are shown; the first is the default. */
export const FILTERS = ['all', 'trouble', 'players', 'away'];

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/**
 * @typedef {object} Row
 * @property {import('./machines.js').Machine} machine
 * @property {import('./trouble.js').Trouble[]} troubles
 * @property {number} sounds how many sounds the bank has
 * @property {import('./machines.js').Counts} recent
 * @property {number} until when it changes by itself, in ms: what is recent fades
 */

/** The rows of machines, each kept until its machine or the standard changes, or its trouble fades. */
export class MachineList {
  /** @type {WeakMap<object, Row>} */
  #rows = new WeakMap();
  #standard = '';

  /**
   * @param {import('./machines.js').Machine[]} machines
   * @param {import('./trouble.js').Standard} standard
   * @param {number} nowMillis
   * @returns {Row[]}
   */
  rows(machines, standard, nowMillis) {
    const described = JSON.stringify(standard);
    if (described !== this.#standard) {
      this.#standard = described;
      this.#rows = new WeakMap();
    }
    return machines.map((machine) => {
      let row = this.#rows.get(machine);
      if (!row || row.until <= nowMillis) {
        const troubles = troublesOf(machine, standard, nowMillis);
        const [recent, until] = [recentOf(machine, nowMillis), fadesAt(machine, nowMillis)];
        row = { machine, troubles, sounds: standard.sounds, recent, until };
        this.#rows.set(machine, row);
      }
      return row;
    });
  }
}

/**
 * The rows that are shown, in order.
 * @param {Row[]} rows
 * @param {{sort: string, filter: string, query: string}} how
 * @returns {Row[]}
 */
export function listed(rows, { sort, filter, query }) {
  const isFound = finder(query);
  return rows.filter((row) => PASSES[filter](row) && isFound(row.machine)).sort(ORDERS[sort]);
}

/** How many machines each filter shows. @param {Row[]} rows @returns {Record<string, number>} */
export function countsOf(rows) {
  return Object.fromEntries(FILTERS.map((filter) => [filter, rows.filter(PASSES[filter]).length]));
}

/**
 * Keeps the order that is shown, while someone aims at a row: new rows come last.
 * @param {Row[]} rows as they would be shown
 * @param {string[]} keys as they are shown
 */
export function inShownOrder(rows, keys) {
  const places = new Map(keys.map((key, at) => [key, at]));
  const placeOf = ({ machine }) => places.get(machine.key) ?? Infinity;
  const inOrder = (a, b) => {
    const [left, right] = [placeOf(a), placeOf(b)];
    return left === right ? 0 : left - right;
  };
  return [...rows].sort(inOrder);
}

const PASSES = {
  all: () => true,
  trouble: ({ troubles }) => needsHelp(troubles),
  players: ({ machine }) => isPlayer(machine),
  away: ({ machine }) => machine.isAway,
};

// Infinity minus itself is not a number: neither comes first.
const bySeat = (a, b) => (a.machine.seat ?? Infinity) - (b.machine.seat ?? Infinity) || 0;
const byName = (a, b) => collator.compare(a.machine.name, b.machine.name);
const byTrouble = (a, b) => weightOf(b.troubles) - weightOf(a.troubles);

/** The first order that tells two rows apart decides. */
const first =
  (...orders) =>
  (a, b) =>
    orders.map((order) => order(a, b)).find((result) => result !== 0) ?? 0;

const ORDERS = {
  trouble: first(byTrouble, bySeat, byName),
  seat: first(bySeat, byName),
  name: first(byName, bySeat),
};

/** Whether a machine is what was typed: by name, tag, kind, or seat. */
function finder(query) {
  const matches = matcher(query);
  const seat = query.trim();
  return ({ name, tags = [], kind = '', seat: own }) =>
    String(own ?? '') === seat || matches([name, ...tags, kind].join(' '));
}
