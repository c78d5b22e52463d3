// What the relay keeps of this machine: applies it, and sends what a person changes here.
//
// A change counts at once, with or without a relay. Until the relay has answered it, what the relay sends
// about that field is older, and waits. A change that could not be sent, or was not answered before the
// connection was lost, goes out with the next welcome, which does not overwrite it.

import { OUTPUT } from './reporter.js';

/** Minimum interval between two requests, in ms: a fader moves more often. */
const INTERVAL_MILLIS = 100;

/** How long an answer is awaited, in ms: a relay whose disk fails sends none. */
const ANSWER_MILLIS = 3000;

/** Most changes of a field whose answer is awaited; of more, the oldest is forgotten. */
const MAX_SENT = 64;

/** The fields, as `assign` names them. */
const FIELDS = ['name', 'volume_db', 'muted', 'extra_latency_micros'];

/** The value of a field in a record; undefined if the relay keeps none. */
function valueIn(record, field) {
  if (field !== 'extra_latency_micros') return record[field];
  return record.extra_latency?.find(({ output }) => output === OUTPUT)?.micros;
}

/** One of the fields. Pure. Its methods return the value that is to be applied now; undefined if there is none. */
class Field {
  /** What is to be sent; undefined if there is nothing. */
  #draft;
  /** What was sent and is not answered, the oldest first. @type {{number: number, value: any, isOverdue: boolean}[]} */
  #sent = [];
  /** As the relay has said it last on this connection; undefined if it keeps none. */
  #kept;
  /** Whether that comes from someone else, since the last of `#sent` was sent. */
  #hasNews = false;

  change(value) {
    this.#draft = value;
  }

  /** What is to be sent with the request of this number; undefined if there is nothing. */
  take(number) {
    const value = this.#draft;
    if (value === undefined) return undefined;
    this.#draft = undefined;
    this.#hasNews = false;
    this.#sent = [...this.#sent, { number, value, isOverdue: false }].slice(-MAX_SENT);
    return value;
  }

  /** The relay says that this is the value. */
  receive(value) {
    // It says so again because another field has changed. That must not undo a change which is under way.
    if (value === this.#kept) return undefined;
    this.#kept = value;
    const own = this.#sent.findIndex((sent) => sent.value === value);
    this.#hasNews = own < 0;
    if (own >= 0) this.#sent = this.#sent.slice(own + 1);
    else if (this.#sent.every(({ isOverdue }) => isOverdue)) this.#sent = [];
    return this.#settled;
  }

  /** The relay has done or refused the requests up to this number. */
  answered(upTo) {
    const left = this.#sent.filter(({ number }) => number > upTo);
    if (left.length === this.#sent.length) return undefined;
    this.#sent = left;
    return this.#settled;
  }

  /**
   * The relay should have answered the requests up to this number. The connection may be dead, so a change is
   * undone only where the relay has said something newer.
   */
  overdue(upTo) {
    for (const sent of this.#sent) sent.isOverdue ||= sent.number <= upTo;
    const last = this.#sent.at(-1);
    if (!last?.isOverdue || !(this.#hasNews || last.value === this.#kept)) return undefined;
    this.#sent = [];
    return this.#settled;
  }

  /** Another connection: what is not answered is sent again, unless there is something newer. */
  reconnected() {
    this.#draft ??= this.#sent.at(-1)?.value;
    this.#sent = [];
    this.#kept = undefined;
    this.#hasNews = false;
  }

  get #settled() {
    return this.#draft === undefined && this.#sent.length === 0 ? this.#kept : undefined;
  }
}

export class OwnMachine {
  #requests;
  #room;
  #apply;
  #report;
  #setTimer;
  /** @type {[string, Field][]} */
  #fields = FIELDS.map((field) => [field, new Field()]);
  #lastRequest = 0;
  #isWaiting = false;
  /** Whether the relay knows the output since the last welcome. */
  #isOutputKnown = false;

  /**
   * @param {import('./requests.js').Requests} requests
   * @param {import('../state/room.js').Room} room
   * @param {(kept: Record<string, any>) => void} apply lets fields have the values that the relay keeps
   * @param {() => void} report sends a report, which names the output
   * @param {typeof setTimeout} setTimer
   */
  constructor(requests, room, apply, report, setTimer = (...args) => globalThis.setTimeout(...args)) {
    this.#requests = requests;
    this.#room = room;
    this.#apply = apply;
    this.#report = report;
    this.#setTimer = setTimer;
  }

  /** A new connection. What was changed without one, or lost with it, waits for `sendChanges`. */
  welcome(record) {
    this.#isOutputKnown = false;
    for (const [, field] of this.#fields) field.reconnected();
    this.record(record);
  }

  /** What the relay keeps. */
  record(record) {
    this.#applyKept((field, name) => field.receive(valueIn(record, name)));
  }

  /** A person has changed a field here. */
  change(name, value) {
    this.#fields.find(([field]) => field === name)[1].change(value);
    if (!this.#isWaiting) this.sendChanges();
  }

  /** Sends what was changed. */
  sendChanges() {
    if (this.#room.id === null) return;
    this.#lastRequest += 1;
    const number = this.#lastRequest;
    const changed = this.#fields.map(([name, field]) => [name, field.take(number)]);
    const request = Object.fromEntries(changed.filter(([, value]) => value !== undefined));
    if (Object.keys(request).length === 0) return;
    // The relay keeps an extra latency for the output that it was told of, and refuses it before that.
    if (request.extra_latency_micros !== undefined && !this.#isOutputKnown) {
      this.#isOutputKnown = true;
      this.#report();
    }
    const answered = () => this.#applyKept((field) => field.answered(number));
    // What is not sent counts as not answered.
    this.#requests.send(
      { type: 'assign', clients: [this.#room.id], ...request },
      { done: answered, refused: answered },
    );
    this.#isWaiting = true;
    this.#setTimer(() => {
      this.#isWaiting = false;
      this.sendChanges();
    }, INTERVAL_MILLIS);
    this.#setTimer(() => this.#applyKept((field) => field.overdue(number)), ANSWER_MILLIS);
  }

  #applyKept(valueOf) {
    const kept = this.#fields.map(([name, field]) => [name, valueOf(field, name)]);
    const known = kept.filter(([, value]) => value !== undefined);
    if (known.length > 0) this.#apply(Object.fromEntries(known));
  }
}
