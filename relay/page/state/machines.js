// All machines of the room, as those who run it are told about them: connected clients, and machines that are
// away.
//
// Pure state: the time goes in, in ms. An entry keeps its identity until it changes, so that what is derived from
// it can be kept too.

/** How long what was counted is recent, in ms. Reports count since the output was opened, or since the client has
 * connected, and that may be months. */
const RECENT_MILLIS = 300_000;

/** What is counted within this time is one step, in ms. */
const STEP_MILLIS = 10_000;

/** What is counted over time. */
const COUNTS = ['triggers', 'late', 'xruns'];

/**
 * @typedef {object} Machine A connected client as the message `machines` has it, or a machine that is away.
 * @property {string} key identifies it in the list
 * @property {boolean} isAway
 * @property {number} [id] of the client, if it is connected
 * @property {number} [machine]
 * @property {string} name
 * @property {string} [kind]
 * @property {string} [client]
 * @property {string} [rights]
 * @property {number} [seat]
 * @property {{x: number, y: number}} [place]
 * @property {string[]} [tags]
 * @property {object} [report]
 * @property {boolean} [straggler]
 * @property {Step[]} [steps] how its counts have grown, the oldest first
 *
 * @typedef {{triggers: number, late: number, xruns: number}} Counts
 * @typedef {Counts & {at: number}} Step what reports have counted more, from this time on, in ms
 */

/** Kinds of clients that sound on schedule. */
const PLAYERS = ['window', 'headless', 'page'];

/** Whether a machine is there to sound. @param {Machine} machine */
export function isPlayer({ isAway, kind }) {
  return !isAway && PLAYERS.includes(kind);
}

/** What was counted in the last five minutes. @param {Machine} machine @returns {Counts} */
export function recentOf({ steps = [] }, nowMillis) {
  const recent = steps.filter(isRecent(nowMillis));
  return Object.fromEntries(COUNTS.map((count) => [count, recent.reduce((sum, step) => sum + step[count], 0)]));
}

/** When that becomes less, in ms; Infinity if nothing was counted. @param {Machine} machine */
export function fadesAt({ steps = [] }, nowMillis) {
  const oldest = steps.find(isRecent(nowMillis));
  return oldest ? oldest.at + RECENT_MILLIS : Infinity;
}

const isRecent = (nowMillis) => (step) => nowMillis < step.at + RECENT_MILLIS;

/** A count that has become smaller has begun anew. */
const increase = (before, after) => (after < before ? after : after - before);

/** The steps of a machine after another report. @returns {Step[]} */
function stepsOf(former, report, nowMillis) {
  const steps = former?.steps.filter(isRecent(nowMillis)) ?? [];
  // What was counted before the first report may be long over.
  if (!former?.report || !report) return steps;
  const more = Object.fromEntries(COUNTS.map((count) => [count, increase(former.report[count], report[count])]));
  if (COUNTS.every((count) => more[count] === 0)) return steps;
  const last = steps.at(-1);
  if (!last || nowMillis - last.at >= STEP_MILLIS) return [...steps, { at: nowMillis, ...more }];
  for (const count of COUNTS) more[count] += last[count];
  return [...steps.slice(0, -1), { at: last.at, ...more }];
}

export class Machines {
  /** @type {Map<number, Machine>} */
  #clients = new Map();
  /** @type {Map<number, Machine>} */
  #away = new Map();
  /** @type {Machine[] | null} */
  #all = null;

  /** Nothing is known any more: the next message begins with an empty list. */
  clear() {
    this.#clients.clear();
    this.#away.clear();
    this.#all = null;
  }

  /** Applies a message. */
  apply({ clients = [], left = [], away = [], returned = [] }, nowMillis) {
    for (const id of left) this.#clients.delete(id);
    for (const machine of returned) this.#away.delete(machine);
    for (const client of clients) {
      const steps = stepsOf(this.#clients.get(client.id), client.report, nowMillis);
      this.#clients.set(client.id, { ...client, key: `c${client.id}`, isAway: false, steps });
    }
    for (const machine of away) {
      this.#away.set(machine.machine, { ...machine, key: `m${machine.machine}`, isAway: true });
    }
    this.#all = null;
  }

  /** Connected clients in the order of connection, then those that are away. @returns {Machine[]} */
  get all() {
    const byId = (a, b) => a.id - b.id;
    this.#all ??= [...[...this.#clients.values()].sort(byId), ...this.#away.values()];
    return this.#all;
  }

  /** Connected clients that are there to sound. */
  get players() {
    return this.all.filter(isPlayer);
  }

  /** The name of a client; null if it is not connected any more. */
  nameOf(id) {
    return this.#clients.get(id)?.name ?? null;
  }
}
