// The room as the relay describes it: its epoch, its bank, its lead, who is here, and what this client may do.
//
// Pure state: no socket, no audio, no DOM, no clock.

export class Room {
  /** This client's name, as triggers target it. */
  name;
  /** The relay's epoch, 16 hexadecimal digits; null before the first welcome. */
  epoch = null;
  /** This client's id; null while disconnected. */
  id = null;
  /** The bank by name. @type {Map<string, object>} */
  sounds = new Map();
  defaultSound = '';
  /** The number of the bank: each new one has a larger number. */
  bankNumber = 0;
  /** The last sounds that were removed, the newest first. @type {{name: string, hash: string}[]} */
  removed = [];
  /** Program and version of the relay. */
  relay = '';
  /** What this client may do: see rights.js. */
  rights = 'conductor';
  /** Whether only conductors play. */
  isLocked = false;
  leadMicros = null;
  /** The longest lead that the relay grants. */
  maxLeadMicros = undefined;
  /** Clients in the order in which they connected: those that the relay lists, and this one. */
  clients = [];
  total = 0;

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /**
   * Applies a welcome.
   * @returns {boolean} whether the epoch is new: all earlier times and sequence numbers are void
   */
  welcome(message) {
    const isNewEpoch = message.epoch !== this.epoch;
    this.epoch = message.epoch;
    this.id = message.id;
    this.clients = message.clients;
    this.total = message.total;
    this.bank(message);
    this.relay = message.relay;
    this.rights = message.machine.rights;
    this.isLocked = message.locked === true;
    this.leadMicros = message.lead_micros;
    this.maxLeadMicros = message.limits.max_lead_micros;
    return isNewEpoch;
  }

  /** Replaces the bank. */
  bank(message) {
    this.sounds = new Map(message.sounds.map((sound) => [sound.name, sound]));
    this.defaultSound = message.default_sound;
    this.bankNumber = message.bank;
    this.removed = message.removed ?? [];
  }

  /** Applies the changes of a roster. */
  roster(message) {
    const left = new Set(message.left);
    const known = this.clients.filter(({ id }) => !left.has(id));
    const clients = new Map([...known, ...message.clients].map((client) => [client.id, client]));
    this.clients = [...clients.values()].sort((a, b) => a.id - b.id);
    this.total = message.total;
    this.leadMicros = message.lead_micros;
  }

  /** The connection is lost: nothing is known of the other clients. */
  disconnected() {
    this.id = null;
    this.clients = [];
    this.total = 0;
  }

  /** What machines are compared with. @returns {import('./trouble.js').Standard} */
  get standard() {
    const { bankNumber, sounds, maxLeadMicros, relay } = this;
    return { bank: bankNumber, sounds: sounds.size, maxLeadMicros, relay };
  }

  /** Who this client is, as targets address it. @returns {import('./target.js').Self} */
  get address() {
    return { id: this.id, name: this.name, tags: this.self?.tags ?? [] };
  }

  /** The tags in the room, in alphabetical order. */
  get tags() {
    return [...new Set(this.clients.flatMap(({ tags = [] }) => tags))].sort();
  }

  /** This client's own roster entry, if there is one. */
  get self() {
    return this.clients.find(({ id }) => id === this.id);
  }
}
