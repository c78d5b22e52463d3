// The variables: their declarations, their values, and the values that take effect later.
//
// Pure state: no socket, no audio, no DOM, no clock. Times are µs of relay time.

import { glide, level } from '../automation/line.js';
import { SeenNumbers } from './seen-numbers.js';
import { includes } from './target.js';

/** How long a value that was replaced is kept, in µs: a late message still finds the way up to it. */
const HISTORY_MICROS = 10_000_000;

/** Most changes kept of one variable; the oldest one is forgotten first. */
const MAX_CHANGES = 512;

/**
 * @typedef {object} Change A value at its instant.
 * @property {number} seq
 * @property {number} at
 * @property {number} over how long what it drives takes to get there
 * @property {any} value
 * @property {boolean} isApplied
 * @property {number | null} by the client that set it
 *
 * @typedef {{variable: object, value: any, base: any, changes: Change[], since: number, version: number}}
 * Entry `base` is the value before the first of the changes, which are in the order of their instants. None is
 * forgotten for a while after `since`.
 */

/** Whether a variable can have this value. */
export function accepts(variable, value) {
  if (value === null) return variable.event === true || variable.type === 'any';
  switch (variable.type) {
    case 'float':
    case 'int':
      return Number.isFinite(value);
    case 'bool':
      return typeof value === 'boolean';
    case 'enum':
      return variable.choices.includes(value);
    case 'text':
      return typeof value === 'string';
    case 'color':
      return typeof value === 'string' && /^#[0-9a-f]{6}$/i.test(value);
    default:
      return true;
  }
}

export class Variables {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  #seen = new SeenNumbers();
  /** Increases whenever the declarations have changed. */
  revision = 0;
  #lastVersion = 0;

  /** The declarations, in the relay's order. */
  get declared() {
    return [...this.#entries.values()].map(({ variable }) => variable);
  }

  get(name) {
    return this.#entries.get(name)?.variable;
  }

  /** The value that applies now, as far as `advance` has come. */
  valueOf(name) {
    return this.#entries.get(name)?.value;
  }

  /** Applies a welcome: exactly these variables remain. */
  welcome({ variables, pending = [], now }, isNewEpoch, self) {
    const known = isNewEpoch ? new Map() : this.#entries;
    if (isNewEpoch) this.#seen = new SeenNumbers();
    this.#entries = new Map();
    for (const state of variables) {
      this.#declare(state, now);
      // The relay tells how what sounds has come to where it is.
      if (state.past) continue;
      const entry = this.#entries.get(state.name);
      const former = known.get(state.name);
      if (!former || JSON.stringify(former.variable) !== JSON.stringify(entry.variable)) continue;
      // What sounds has come by the former values, and goes on from there.
      entry.base = former.base;
      entry.changes = former.changes.filter(({ isApplied }) => isApplied);
      if (entry.variable.event || JSON.stringify(former.value) === JSON.stringify(entry.value)) continue;
      entry.changes.push({ seq: 0, at: now, over: 0, value: entry.value, isApplied: true, by: null });
    }
    for (const change of pending) {
      this.#seen.add(change.seq);
      this.#schedule(change, self);
    }
    this.revision += 1;
  }

  /** Applies a declaration or a removal. */
  change({ declared = [], removed = [] }) {
    for (const name of removed) this.#entries.delete(name);
    for (const state of declared) this.#declare(state);
    this.revision += 1;
  }

  /**
   * Takes a value.
   * @param {import('./target.js').Self} self this client
   * @returns {boolean} whether it is a new value for this client
   */
  value(message, self) {
    if (!this.#seen.add(message.seq)) return false;
    return this.#schedule(message, self);
  }

  /**
   * Applies the values that are due.
   * @returns {{name: string, value: any, by: number | null}[]} the values that have taken effect, those of
   *   events included
   */
  advance(now) {
    const applied = [];
    for (const [name, entry] of this.#entries) {
      for (const change of entry.changes) {
        if (change.isApplied || change.at > now) continue;
        change.isApplied = true;
        if (!entry.variable.event) entry.value = change.value;
        applied.push({ name, value: change.value, by: change.by });
      }
      if (now - HISTORY_MICROS >= entry.since) forget(entry, now - HISTORY_MICROS);
    }
    return applied;
  }

  /** When the next value takes effect; Infinity if none is pending. */
  get nextAt() {
    let next = Infinity;
    for (const { changes } of this.#entries.values()) {
      for (const { isApplied, at } of changes) if (!isApplied) next = Math.min(next, at);
    }
    return next;
  }

  /** A number that differs whenever the line of a variable may differ. */
  versionOf(name) {
    return this.#entries.get(name).version;
  }

  /**
   * The way of a number through its values.
   * @param {(value: number) => number} map to the quantity in which it glides evenly
   * @param {number} minOver shortest glide: shorter ones would click
   */
  lineOf(name, map, minOver = 0) {
    const { base, changes } = this.#entries.get(name);
    return changes.reduce(
      (line, { at, over, value }) => glide(line, at, Math.max(over, minOver), map(value)),
      level(map(base)),
    );
  }

  #declare({ value, past, ...variable }, now = 0) {
    const fallback = variable.event ? null : (variable.default ?? null);
    const kept = accepts(variable, value) ? value : fallback;
    const version = this.#newVersion;
    const entry = { variable, value: kept, base: kept, changes: [], since: -Infinity, version };
    if (past && accepts(variable, past.from)) {
      entry.base = past.from;
      entry.since = now;
      entry.changes = past.values.slice(-MAX_CHANGES).filter(({ value }) => accepts(variable, value))
        .map(({ apply_at: at, over_micros: over = 0, value }) => (
          { seq: 0, at, over, value, isApplied: true, by: null }
        ));
    }
    this.#entries.set(variable.name, entry);
  }

  #schedule({ seq, apply_at: at, name, value, over_micros: over = 0, target, by }, self) {
    const entry = this.#entries.get(name);
    if (!entry || !includes(target, self) || !accepts(entry.variable, value)) return false;
    const change = { seq, at, over, value, isApplied: false, by: by.id };
    if (!entry.variable.event) {
      // A larger number wins over one that takes effect at the same time or later.
      if (entry.changes.some((other) => other.seq > seq && other.at <= at)) return false;
      entry.changes = entry.changes.filter((other) => other.seq > seq || other.at < at);
    }
    const later = entry.changes.findIndex((other) => other.at > at);
    entry.changes.splice(later < 0 ? entry.changes.length : later, 0, change);
    if (entry.changes.length > MAX_CHANGES) entry.base = entry.changes.shift().value;
    entry.version = this.#newVersion;
    return true;
  }

  get #newVersion() {
    this.#lastVersion += 1;
    return this.#lastVersion;
  }
}

/** Forgets the changes of which nothing is left at `before`. */
function forget(entry, before) {
  // An event drives nothing.
  if (entry.variable.event) entry.changes = entry.changes.filter(({ isApplied }) => !isApplied);
  const last = entry.changes.findLastIndex(({ isApplied, at, over }) => isApplied && at + over <= before);
  if (last < 0) return;
  entry.base = entry.changes[last].value;
  entry.changes.splice(0, last + 1);
}
