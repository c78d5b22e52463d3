// The machines in the room, in the order of a stagger, with their seats and tags, which are edited in place.

import { LOOSE_MICROS } from '../state/sync-status.js';
import { formatMicros } from '../state/units.js';
import { element, make, setText } from './dom.js';

const KIND_TEXTS = {
  window: 'window',
  headless: 'player',
  page: 'page',
  remote: 'remote',
  tutorial: 'tutorial client',
};

/** Seats first, in their order; then the others as they connected. */
function inSeatOrder(a, b) {
  return (a.seat ?? Infinity) - (b.seat ?? Infinity) || a.id - b.id;
}

export class Roster {
  #list = element('roster');
  #perform;
  /** By id. @type {Map<number, Row>} */
  #rows = new Map();

  /** @param {(action: import('./ui.js').Action) => void} perform */
  constructor(perform) {
    this.#perform = perform;
    element('number-seats').addEventListener('click', () => this.#numberSeats());
  }

  /**
   * @param {object[]} clients as the relay lists them
   * @param {number} total number of connected clients, listed or not
   * @param {number | null} ownId this client's id
   */
  show(clients, total, ownId) {
    setText(element('total'), total === 0 ? '' : String(total));
    element('nobody').hidden = total > 0;
    element('number-seats').hidden = clients.length < 2;
    const known = this.#rows;
    const isEdited = this.#list.contains(document.activeElement);
    // While someone types in it, the list keeps its order.
    const sorted = isEdited ? clients : [...clients].sort(inSeatOrder);
    this.#rows = new Map();
    for (const client of sorted) {
      const row = known.get(client.id) ?? new Row(client.id, this.#perform);
      row.show(client, client.id === ownId);
      this.#rows.set(client.id, row);
    }
    for (const [id, row] of known) if (!this.#rows.has(id)) row.element.remove();
    const rows = [...this.#rows.values()].map((row) => row.element);
    if (isEdited) this.#list.append(...rows.filter((row) => !row.isConnected));
    else if (rows.some((row, at) => row !== this.#list.children[at])) this.#list.replaceChildren(...rows);
    const more = total - clients.length;
    element('more').hidden = more <= 0 || clients.length === 0;
    setText(element('more'), `and ${more} more`);
  }

  /** Gives everyone a seat, in the order of the list. */
  #numberSeats() {
    [...this.#rows.keys()].forEach((client, at) => this.#perform({ type: 'assign', client, seat: at + 1 }));
  }
}

/** One machine. */
class Row {
  #seat = make('input.seat', {
    type: 'number',
    min: 0,
    max: 9999,
    step: 1,
    inputmode: 'numeric',
    placeholder: '–',
  });
  #tags = make('input.tags', {
    type: 'text',
    placeholder: 'tags',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    enterkeyhint: 'done',
  });
  #name = make('span.name');
  #kind = make('span.kind');
  #sync = make('span.sync');

  constructor(client, perform) {
    this.element = make(
      'li',
      {},
      this.#seat,
      make('span.who', {}, this.#name, this.#kind),
      this.#tags,
      this.#sync,
    );
    this.#seat.addEventListener('change', () => {
      const seat = Math.min(9999, Math.max(0, Math.round(Number(this.#seat.value)) || 0));
      perform({ type: 'assign', client, seat });
    });
    this.#tags.addEventListener('change', () => {
      perform({ type: 'assign', client, tags: this.#tags.value.split(',') });
    });
  }

  show(client, isSelf) {
    const { name, kind, seat, tags = [], straggler, report } = client;
    this.element.classList.toggle('self', isSelf);
    setText(this.#name, name);
    setText(this.#kind, KIND_TEXTS[kind] ?? kind);
    this.#seat.setAttribute('aria-label', `Seat of ${name}`);
    this.#tags.setAttribute('aria-label', `Tags of ${name}, separated by commas`);
    if (document.activeElement !== this.#seat) this.#seat.value = seat === undefined ? '' : String(seat);
    if (document.activeElement !== this.#tags) this.#tags.value = tags.join(', ');
    const error = report?.clock_error_micros;
    const isLoose = straggler === true || error > LOOSE_MICROS;
    const text = straggler ? 'starts late' : error === undefined ? '' : `±${formatMicros(error)}`;
    setText(this.#sync, text);
    this.#sync.classList.toggle('warn', isLoose);
    this.#sync.classList.toggle('good', !isLoose && error !== undefined);
  }
}
