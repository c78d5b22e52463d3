// All machines of the room, as those who run it are told about them: connected clients, and machines that are
// away.
//
// Pure state. An entry keeps its identity until it changes, so that what is derived from it can be kept too.

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
 */

/** Kinds of clients that sound on schedule. */
const PLAYERS = ['window', 'headless', 'page'];

/** Whether a machine is there to sound. @param {Machine} machine */
export function isPlayer({ isAway, kind }) {
  return !isAway && PLAYERS.includes(kind);
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
  apply({ clients = [], left = [], away = [], returned = [] }) {
    for (const id of left) this.#clients.delete(id);
    for (const machine of returned) this.#away.delete(machine);
    for (const client of clients) {
      this.#clients.set(client.id, { ...client, key: `c${client.id}`, isAway: false });
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
