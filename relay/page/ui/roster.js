// Who is in the room, for those who do not run it: in the order of a stagger, with seats and tags.

import { element, make, setText } from './dom.js';
import { KIND_TEXTS } from './machine-row.js';

/** Seats first, in their order; then the others as they connected. */
function inSeatOrder(a, b) {
  return (a.seat ?? Infinity) - (b.seat ?? Infinity) || a.id - b.id;
}

export class Roster {
  #list = element('roster');
  /** By id. @type {Map<number, Row>} */
  #rows = new Map();

  /**
   * @param {object[]} clients as the relay lists them
   * @param {number} total number of connected clients, listed or not
   * @param {number | null} ownId this client's id
   */
  show(clients, total, ownId) {
    setText(element('total'), total === 0 ? '' : String(total));
    element('nobody').hidden = total > 0;
    const known = this.#rows;
    this.#rows = new Map();
    for (const client of [...clients].sort(inSeatOrder)) {
      const row = known.get(client.id) ?? new Row();
      row.show(client, client.id === ownId);
      this.#rows.set(client.id, row);
    }
    for (const [id, row] of known) if (!this.#rows.has(id)) row.element.remove();
    const rows = [...this.#rows.values()].map((row) => row.element);
    if (rows.some((row, at) => row !== this.#list.children[at])) this.#list.replaceChildren(...rows);
    const more = total - clients.length;
    element('more').hidden = more <= 0 || clients.length === 0;
    setText(element('more'), `and ${more} more`);
  }
}

/** One machine. */
class Row {
  #seat = make('span.seat');
  #name = make('span.name');
  #kind = make('span.kind');
  #state = make('span.sync');
  element = make('li', {}, this.#seat, make('span.who', {}, this.#name, this.#kind), this.#state);

  show({ name, kind, seat, tags = [], straggler, plays }, isSelf) {
    this.element.classList.toggle('self', isSelf);
    setText(this.#seat, seat === undefined ? '' : String(seat));
    setText(this.#name, name);
    setText(this.#kind, [KIND_TEXTS[kind] ?? kind, ...tags.map((tag) => `#${tag}`)].join(' · '));
    const text = straggler ? 'starts late' : plays ? 'ready' : '';
    setText(this.#state, text);
    this.#state.classList.toggle('warn', straggler === true);
    this.#state.classList.toggle('good', plays === true && !straggler);
  }
}
