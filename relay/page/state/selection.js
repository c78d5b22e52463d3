// Which rows of a list are selected. Pure state.

export class Selection {
  /** @type {Set<string>} */
  #keys = new Set();
  /** Where a range begins. @type {string | null} */
  #anchor = null;

  get size() {
    return this.#keys.size;
  }

  has(key) {
    return this.#keys.has(key);
  }

  /** Selects one row alone; a second time, none. */
  only(key) {
    const wasOnly = this.#keys.size === 1 && this.#keys.has(key);
    this.#keys = new Set(wasOnly ? [] : [key]);
    this.#anchor = key;
  }

  /** Adds a row, or takes it away. */
  toggle(key) {
    if (!this.#keys.delete(key)) this.#keys.add(key);
    this.#anchor = key;
  }

  /** Adds all rows from the last one that was touched to this one. @param {string[]} order */
  extend(key, order) {
    const from = order.indexOf(this.#anchor);
    const to = order.indexOf(key);
    if (from < 0 || to < 0) return this.toggle(key);
    for (const other of order.slice(Math.min(from, to), Math.max(from, to) + 1)) this.#keys.add(other);
  }

  /** Selects all of these, or none of them if all are selected. @param {string[]} order */
  all(order) {
    const isFull = order.length > 0 && order.every((key) => this.#keys.has(key));
    for (const key of order) {
      if (isFull) this.#keys.delete(key);
      else this.#keys.add(key);
    }
  }

  clear() {
    this.#keys.clear();
  }

  /** Forgets rows that do not exist any more. @returns {boolean} whether there were any */
  keep(keys) {
    const existing = new Set(keys);
    const before = this.#keys.size;
    for (const key of this.#keys) if (!existing.has(key)) this.#keys.delete(key);
    return this.#keys.size < before;
  }
}
