// The receipts of the last bangs: who sounded, who late and by how much, who not and why.

import { describe, nextOverAt } from '../state/receipts.js';
import { element, make, setText } from './dom.js';
import { button } from './fields.js';

/** Most receipts and lines that are shown. */
const MAX_SHOWN = 24;
const MAX_LINES = 12;

export class ReceiptList {
  #list = element('receipts');
  /** By sequence number. @type {Map<number, Entry>} */
  #entries = new Map();
  #onMachine;
  #timer = null;

  /** @param {(id: number) => void} onMachine shows the machine of a client */
  constructor(onMachine) {
    this.#onMachine = onMachine;
  }

  /**
   * @param {{receipt: object, arrivedAt: number}[]} receipts the latest first
   * @param {(id: number) => string | null} nameOf
   */
  show(receipts, nameOf) {
    const now = performance.now();
    const known = this.#entries;
    this.#entries = new Map();
    for (const { receipt, arrivedAt } of receipts.slice(0, MAX_SHOWN)) {
      const entry = known.get(receipt.seq) ?? new Entry(this.#onMachine);
      entry.show(receipt, describe(receipt, now - arrivedAt, nameOf));
      this.#entries.set(receipt.seq, entry);
    }
    const elements = [...this.#entries.values()].map((entry) => entry.element);
    if (elements.some((one, at) => one !== this.#list.children[at]) || this.#list.childElementCount !== elements.length) {
      this.#list.replaceChildren(...elements);
    }
    element('no-bang').hidden = elements.length > 0;
    // Who has not answered by then does not answer.
    clearTimeout(this.#timer);
    const next = nextOverAt(receipts, now);
    if (next < Infinity) this.#timer = setTimeout(() => this.show(receipts, nameOf), next - now + 1);
  }
}

class Entry {
  #sound = make('b.receipt-sound');
  #by = make('span.receipt-by');
  #summary = make('span.receipt-summary');
  #bar = make('span.receipt-bar', { 'aria-hidden': 'true' }, make('i.on-time'), make('i.late'), make('i.missed'));
  #lines = make('ul.receipt-lines');
  #onMachine;
  #shown = '';

  constructor(onMachine) {
    this.#onMachine = onMachine;
    const head = make('div.receipt-head', {}, this.#sound, this.#by, this.#summary);
    this.element = make('article.receipt', {}, head, this.#bar, this.#lines);
  }

  show({ sound, by }, described) {
    const text = JSON.stringify([sound, by, described]);
    if (text === this.#shown) return;
    this.#shown = text;
    const { summary, level, lines, more } = described;
    this.element.dataset.level = level;
    setText(this.#sound, sound);
    setText(this.#by, `by ${by.name}`);
    setText(this.#summary, level === 'wait' ? `${summary} so far` : `${summary} sounded`);
    const parts = [described.onTime, described.late, described.missed];
    parts.forEach((part, at) => (this.#bar.children[at].style.flexGrow = String(part)));
    const rest = Math.max(0, lines.length - MAX_LINES) + more;
    const items = lines.slice(0, MAX_LINES).map(({ id, name, text: why, level: of }) => {
      const who = button('button.receipt-who', name, () => this.#onMachine(id));
      return make('li', { 'data-level': of }, who, ' ', make('span', {}, why));
    });
    if (rest > 0) items.push(make('li', {}, `and ${rest} more`));
    this.#lines.replaceChildren(...items);
  }
}
