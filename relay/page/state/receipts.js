// The receipts of the last triggers: who sounded them, who late and by how much, who not and why, in words.
//
// Pure state: the time goes in, in ms.

import { formatMicros } from './units.js';

/** Receipts kept, as many as the relay keeps. */
const MAX_RECEIPTS = 64;

/** How long machines have to answer, in ms: on-time starts are reported within two seconds. */
export const ANSWER_MILLIS = 4000;

const REASONS = {
  no_output: 'has no output',
  not_ready: 'had not loaded the sound',
  no_clock: 'did not know the time yet',
  too_late: 'could not start it before it was over',
  voices: 'sounded too many voices already',
  muted: 'is muted',
};

/** Reasons that someone wants. */
const WANTED = ['muted'];

/**
 * @typedef {object} Line One machine that did not sound on time.
 * @property {number} id of the client
 * @property {string} name
 * @property {string} text
 * @property {'bad' | 'warn' | 'info'} level
 *
 * @typedef {object} Described
 * @property {string} summary
 * @property {'good' | 'warn' | 'bad' | 'wait'} level
 * @property {number} onTime parts of those for whom it was, 0 to 1; `late` and `missed` as well
 * @property {number} late
 * @property {number} missed
 * @property {Line[]} lines
 * @property {number} more how many further machines have no line
 */

export class Receipts {
  /** By sequence number, with the time of its first arrival. */
  #receipts = new Map();

  clear() {
    this.#receipts.clear();
  }

  /** Takes a receipt, which replaces an earlier one of the same trigger. */
  apply(receipt, nowMillis) {
    const arrivedAt = this.#receipts.get(receipt.seq)?.arrivedAt ?? nowMillis;
    this.#receipts.set(receipt.seq, { receipt, arrivedAt });
    if (this.#receipts.size > MAX_RECEIPTS) {
      this.#receipts.delete(Math.min(...this.#receipts.keys()));
    }
  }

  /** The latest trigger first. @returns {{receipt: object, arrivedAt: number}[]} */
  get latest() {
    return [...this.#receipts.values()].sort((a, b) => b.receipt.seq - a.receipt.seq);
  }
}

/** When the time of the next receipt is over, in ms; Infinity if that of all is. */
export function nextOverAt(receipts, nowMillis) {
  const ends = receipts.map(({ arrivedAt }) => arrivedAt + ANSWER_MILLIS);
  return Math.min(...ends.filter((end) => end > nowMillis));
}

/**
 * A receipt in words.
 * @param {object} receipt
 * @param {number} ageMillis since it first arrived
 * @param {(id: number) => string | null} nameOf
 * @returns {Described}
 */
export function describe(receipt, ageMillis, nameOf) {
  const { expected, sounded, late = [], missed = [], waiting = [] } = receipt;
  const isOpen = ageMillis < ANSWER_MILLIS && waiting.length > 0;
  const name = (id) => nameOf(id) ?? `client ${id}`;
  const lines = [
    ...missed
      .filter(({ reason }) => !WANTED.includes(reason))
      .map(({ id, reason }) => line(id, name, 'bad', REASONS[reason] ?? 'did not sound')),
    ...late.map(({ id, lateness_micros: micros }) => line(id, name, 'warn', `${formatMicros(micros)} late`)),
    ...(isOpen ? [] : waiting.map((id) => line(id, name, 'warn', 'has not answered'))),
    ...missed
      .filter(({ reason }) => WANTED.includes(reason))
      .map(({ id, reason }) => line(id, name, 'info', REASONS[reason])),
  ];
  const unsounded = expected - sounded;
  const part = (count) => (expected === 0 ? 0 : count / expected);
  return {
    summary: expected === 0 ? 'for nobody' : `${sounded} of ${expected}`,
    level: levelOf(lines, isOpen),
    onTime: part(sounded - Math.min(sounded, late.length)),
    late: part(Math.min(sounded, late.length)),
    missed: isOpen ? part(missed.length) : part(unsounded),
    lines,
    more: isOpen ? 0 : Math.max(0, unsounded - missed.length - waiting.length),
  };
}

function line(id, name, level, text) {
  return { id, name: name(id), level, text };
}

function levelOf(lines, isOpen) {
  if (lines.some(({ level }) => level === 'bad')) return 'bad';
  if (lines.some(({ level }) => level === 'warn')) return 'warn';
  return isOpen ? 'wait' : 'good';
}
