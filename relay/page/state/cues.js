// The cues of this client: what should be sounding here, or will be, and from when to when.
//
// Each trigger is taken once, by its sequence number. A cue lives until its sound is over, so that a
// clock, a sound or an output that becomes ready late joins it in the middle.
//
// Pure state: no socket, no audio, no DOM, no clock.

/**
 * @typedef {object} Cue
 * @property {object} trigger the trigger that started it
 * @property {object} [sound] the sound as the bank had it then; undefined if the bank had no such sound
 * @property {number} [stopAt] relay time in µs at which it is silenced before its end
 */

/** A sequence number this far behind the highest is taken for a duplicate. */
const SEEN_WINDOW = 1024;

/** The sequence numbers received in one epoch, in bounded memory. */
class SeenNumbers {
  #numbers = new Set();
  #highest = 0;

  get highest() {
    return this.#highest;
  }

  /** Adds `seq`; true if it is new. */
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

/** Whether `stop` ends `trigger`. It ends no trigger with a higher sequence number. */
function ends(stop, trigger) {
  return (
    trigger.seq < stop.seq &&
    (stop.trigger === undefined || stop.trigger === trigger.seq) &&
    (stop.sound === undefined || stop.sound === trigger.sound)
  );
}

/** When `cue` falls silent, in µs of relay time; a cue without a sound never begins. */
export function endOf({ trigger, stopAt, sound }) {
  if (!sound) return trigger.play_at;
  const lengthMicros = (sound.frames / sound.rate / trigger.rate) * 1e6;
  return Math.min(trigger.play_at + lengthMicros, stopAt ?? Infinity);
}

export class Cues {
  /** By sequence number. @type {Map<number, Cue>} */
  #active = new Map();
  #room;
  #seen = new SeenNumbers();
  /** Triggers up to this number were silenced on this machine. */
  #silencedUpTo = 0;

  /** @param {import('./room.js').Room} room whose bank names the sounds and whose name is this client's */
  constructor(room) {
    this.#room = room;
  }

  get size() {
    return this.#active.size;
  }

  has(seq) {
    return this.#active.has(seq);
  }

  get(seq) {
    return this.#active.get(seq);
  }

  [Symbol.iterator]() {
    return this.#active.values();
  }

  /**
   * Applies `welcome.sounding`, after the room has taken the welcome: exactly these cues remain. A sound
   * that was stopped while this client was away is gone.
   */
  welcome(message, isNewEpoch) {
    if (isNewEpoch) {
      this.#seen = new SeenNumbers();
      this.#silencedUpTo = 0;
    }
    const known = isNewEpoch ? new Map() : this.#active;
    this.#active = new Map();
    for (const { trigger, stop_at: stopAt } of message.sounding) {
      this.#seen.add(trigger.seq);
      if (!this.#isForThisClient(trigger) || trigger.seq <= this.#silencedUpTo) continue;
      // The bank may have changed: the sound is as long as it was when it was triggered.
      const sound = known.get(trigger.seq)?.sound ?? this.#room.sounds.get(trigger.sound);
      this.#active.set(trigger.seq, { trigger, stopAt, sound });
    }
  }

  /** Takes a trigger; true if it is a new cue of this client. A duplicate changes nothing. */
  trigger(message) {
    if (!this.#seen.add(message.seq)) return false;
    if (!this.#isForThisClient(message) || message.seq <= this.#silencedUpTo) return false;
    this.#active.set(message.seq, { trigger: message, sound: this.#room.sounds.get(message.sound) });
    return true;
  }

  /** Takes a stop. @returns {Cue[]} the cues that it ends, each with its `stopAt` */
  stop(message) {
    if (!this.#seen.add(message.seq)) return [];
    const ended = [];
    for (const cue of this.#active.values()) {
      if (!ends(message, cue.trigger)) continue;
      cue.stopAt = Math.min(cue.stopAt ?? Infinity, message.stop_at);
      ended.push(cue);
    }
    return ended;
  }

  /** Drops every cue on this machine alone. A welcome that still lists them restarts none of them. */
  silence() {
    this.#silencedUpTo = this.#seen.highest;
    this.#active.clear();
  }

  /** Drops the cues that are over at `relayNow`, in µs of relay time. */
  prune(relayNow) {
    for (const [seq, cue] of this.#active) if (endOf(cue) <= relayNow) this.#active.delete(seq);
  }

  #isForThisClient({ target }) {
    return target === undefined || target.includes(this.#room.name);
  }
}
