// What the relay keeps of this machine: applies it, and sends what a person changes here.
//
// A change counts at once, with or without a relay. Until the relay has confirmed it, what the relay sends
// about that field is older, and waits. A change that could not be sent goes out with the next welcome.

import { OUTPUT } from './reporter.js';

/** Minimum interval between two requests, in ms: a fader moves more often. */
const INTERVAL_MILLIS = 100;

/** How long a confirmation is awaited, in ms: a relay whose disk fails sends none. */
const CONFIRM_MILLIS = 3000;

/** The fields, as `assign` names them. */
const FIELDS = ['name', 'volume_db', 'muted', 'extra_latency_micros'];

/** The value of a field in a record; undefined if the relay keeps none. */
function valueIn(record, field) {
  if (field !== 'extra_latency_micros') return record[field];
  return record.extra_latency?.find(({ output }) => output === OUTPUT)?.micros;
}

export class OwnMachine {
  #requests;
  #room;
  #apply;
  #setTimer;
  #record = {};
  /** What was changed here and not yet sent, by field. @type {Map<string, any>} */
  #changed = new Map();
  /** Fields with a change that is not confirmed, with the number of that change. @type {Map<string, number>} */
  #unconfirmed = new Map();
  #lastChange = 0;
  #isWaiting = false;

  /**
   * @param {import('./requests.js').Requests} requests
   * @param {import('../state/room.js').Room} room
   * @param {(kept: Record<string, any>) => void} apply lets fields have the values that the relay keeps
   * @param {typeof setTimeout} setTimer
   */
  constructor(requests, room, apply, setTimer = (...args) => globalThis.setTimeout(...args)) {
    this.#requests = requests;
    this.#room = room;
    this.#apply = apply;
    this.#setTimer = setTimer;
  }

  /** A new connection: what was changed without one goes out. */
  welcome(record) {
    this.#unconfirmed.clear();
    for (const field of this.#changed.keys()) this.#unconfirmed.set(field, this.#lastChange);
    this.record(record);
    this.#sendChanges();
  }

  /** What the relay keeps. */
  record(record) {
    this.#record = record;
    this.#applyKept(FIELDS.filter((field) => !this.#unconfirmed.has(field)));
  }

  /** A person has changed a field here. */
  change(field, value) {
    this.#lastChange += 1;
    this.#changed.set(field, value);
    this.#unconfirmed.set(field, this.#lastChange);
    if (this.#isWaiting) return;
    this.#sendChanges();
  }

  #applyKept(fields) {
    const kept = fields.map((field) => [field, valueIn(this.#record, field)]);
    const known = kept.filter(([, value]) => value !== undefined);
    if (known.length > 0) this.#apply(Object.fromEntries(known));
  }

  #sendChanges() {
    if (this.#changed.size === 0 || this.#room.id === null) return;
    const upTo = this.#lastChange;
    const changed = Object.fromEntries(this.#changed);
    const confirm = () => this.#confirm(upTo);
    const isSent = this.#requests.send(
      { type: 'assign', clients: [this.#room.id], ...changed },
      { done: confirm, refused: confirm, lost: () => this.#keep(changed) },
    );
    if (!isSent) return;
    this.#changed.clear();
    this.#isWaiting = true;
    this.#setTimer(() => {
      this.#isWaiting = false;
      this.#sendChanges();
    }, INTERVAL_MILLIS);
    this.#setTimer(confirm, CONFIRM_MILLIS);
  }

  /** The connection was lost before these were confirmed: they are sent again, unless newer ones wait. */
  #keep(changed) {
    for (const [field, value] of Object.entries(changed)) {
      if (!this.#changed.has(field)) this.#changed.set(field, value);
    }
  }

  /** Changes up to this number are done, or never will be: the relay's record counts again. */
  #confirm(upTo) {
    const isConfirmed = ([field, number]) => number <= upTo && !this.#changed.has(field);
    const confirmed = [...this.#unconfirmed].filter(isConfirmed).map(([field]) => field);
    for (const field of confirmed) this.#unconfirmed.delete(field);
    this.#applyKept(confirmed);
  }
}
