// What the page knows of the room: the relay's life, the bank, who is here, what has been heard of,
// and what should be sounding. Messages go in; what should sound is in `wanted`.
//
// Pure state: no socket, no audio, no DOM, no clock of its own.

/**
 * @typedef {object} Wanted What should be sounding, or will be.
 * @property {object} trigger The trigger that started it.
 * @property {object} [sound] What it plays, as the bank had it then; none if it had no such sound.
 * @property {number} [stopAt] Relay time in µs at which it is to be silent before its own end.
 */

/** How many numbers back a late one is still told from one that was seen. */
const SEEN_WINDOW = 1024;

/** The numbers seen in one epoch, in bounded memory: all that is far behind counts as seen. */
class Seen {
  #numbers = new Set();
  #highest = 0;

  get highest() {
    return this.#highest;
  }

  /** Notes `seq`; true if it is new. */
  add(seq) {
    if (seq <= this.#highest - SEEN_WINDOW || this.#numbers.has(seq)) return false;
    this.#numbers.add(seq);
    this.#highest = Math.max(this.#highest, seq);
    if (this.#numbers.size > 2 * SEEN_WINDOW) {
      const floor = this.#highest - SEEN_WINDOW;
      for (const number of this.#numbers) if (number <= floor) this.#numbers.delete(number);
    }
    return true;
  }
}

/** Whether `stop` ends what `trigger` started. It ends nothing that came after it. */
function ends(stop, trigger) {
  return (
    trigger.seq < stop.seq &&
    (stop.trigger === undefined || stop.trigger === trigger.seq) &&
    (stop.sound === undefined || stop.sound === trigger.sound)
  );
}

export class Room {
  /** The relay's life, 16 hexadecimal digits; null before the first welcome. */
  epoch = null;
  /** This client's number; null while there is none. */
  id = null;
  /** The bank by name. @type {Map<string, object>} */
  sounds = new Map();
  defaultSound = '';
  leadMicros = null;
  /** The longest lead that the room waits for, whoever needs more. */
  mostLeadMicros = undefined;
  /** Clients in the order in which they came: as many as the relay lists, and this one. */
  clients = [];
  total = 0;
  /** The last trigger heard of, whoever it was for. */
  last = null;
  /** What should be sounding, by `seq`. @type {Map<number, Wanted>} */
  wanted = new Map();

  #name;
  #seen = new Seen();
  /** What has a number up to this one is silent here, whatever the relay says of it. */
  #silencedUpTo = 0;

  /** @param {string} name This client's name, as triggers are aimed at it. */
  constructor(name) {
    this.#name = name;
  }

  /** This client is called `name` from its next hello on. */
  rename(name) {
    this.#name = name;
  }

  /**
   * Takes what a welcome says. What should sound is then what it lists, and nothing else: a sound
   * that was stopped while this client was away is no longer wanted.
   *
   * @returns {boolean} Whether this is another life of the relay than before: all times and
   * numbers of the last one are void.
   */
  welcome(message) {
    const reborn = message.epoch !== this.epoch;
    if (reborn) {
      this.#seen = new Seen();
      this.#silencedUpTo = 0;
      this.last = null;
    }
    this.epoch = message.epoch;
    this.id = message.id;
    this.clients = message.clients;
    this.total = message.total;
    this.bank(message);
    this.leadMicros = message.lead_micros;
    this.mostLeadMicros = message.limits.most_lead_micros;
    const known = reborn ? new Map() : this.wanted;
    this.wanted = new Map();
    for (const { trigger, stop_at: stopAt } of message.sounding) {
      this.#seen.add(trigger.seq);
      if (!this.#isForMe(trigger) || trigger.seq <= this.#silencedUpTo) continue;
      const sound = known.get(trigger.seq)?.sound ?? this.sounds.get(trigger.sound);
      this.wanted.set(trigger.seq, { trigger, stopAt, sound });
    }
    return reborn;
  }

  /** Takes another bank. What is wanted stays so, and is as long as it was when it was banged. */
  bank(message) {
    this.sounds = new Map(message.sounds.map((sound) => [sound.name, sound]));
    this.defaultSound = message.default_sound;
  }

  /** Takes a trigger; true if this client is to sound it. One that was seen changes nothing. */
  trigger(message) {
    if (!this.#seen.add(message.seq)) return false;
    this.last = message;
    if (!this.#isForMe(message) || message.seq <= this.#silencedUpTo) return false;
    this.wanted.set(message.seq, { trigger: message, sound: this.sounds.get(message.sound) });
    return true;
  }

  /** Takes a stop. @returns {Wanted[]} What it ends, each with its `stopAt`. */
  stop(message) {
    if (!this.#seen.add(message.seq)) return [];
    const ended = [];
    for (const wanted of this.wanted.values()) {
      if (!ends(message, wanted.trigger)) continue;
      wanted.stopAt = Math.min(wanted.stopAt ?? Infinity, message.stop_at);
      ended.push(wanted);
    }
    return ended;
  }

  /** Silences, on this machine alone, all that has been heard of: a welcome that lists it as sounding,
   * because the relay knows nothing of it, starts none of it again. */
  silence() {
    this.#silencedUpTo = this.#seen.highest;
    this.wanted.clear();
  }

  /** Takes what has changed in who is here since the welcome. */
  roster(message) {
    const left = new Set(message.left);
    const known = this.clients.filter(({ id }) => !left.has(id));
    const clients = new Map([...known, ...message.clients].map((client) => [client.id, client]));
    this.clients = [...clients.values()].sort((a, b) => a.id - b.id);
    this.total = message.total;
    this.leadMicros = message.lead_micros;
  }

  /** The connection is gone: nobody can be known to be here. What sounds goes on sounding. */
  disconnected() {
    this.id = null;
    this.clients = [];
    this.total = 0;
  }

  /** Forgets what is over at `relayNow`, in µs of relay time. */
  prune(relayNow) {
    for (const [seq, wanted] of this.wanted) {
      if (this.endOf(wanted) <= relayNow) this.wanted.delete(seq);
    }
  }

  /** When `wanted` falls silent, in µs of relay time; a sound that the bank lacks never begins. */
  endOf({ trigger, stopAt, sound }) {
    if (!sound) return trigger.play_at;
    const lengthMicros = (sound.frames / sound.rate / trigger.rate) * 1e6;
    return Math.min(trigger.play_at + lengthMicros, stopAt ?? Infinity);
  }

  #isForMe({ target }) {
    return target === undefined || target.includes(this.#name);
  }
}
