// The cues of this client: what should be sounding here, or will be, and from when to when.
//
// Each trigger is taken once, by its sequence number. A cue lives until its sound is over, so that a
// clock, a sound or an output that becomes ready late joins it in the middle. What a cue plays is
// described in state/cue.js.
//
// Pure state: no socket, no audio, no DOM, no clock.

import { Cue } from './cue.js';
import { SeenNumbers } from './seen-numbers.js';
import { delayMicros } from './target.js';

/** How far a cue's position follows behind, in µs: a value that arrives late still bends its way. */
const BEHIND_MICROS = 5_000_000;

/** Whether `stop` ends `trigger`. It ends no trigger with a higher sequence number. */
function ends(stop, trigger) {
  return (
    trigger.seq < stop.seq &&
    (stop.trigger === undefined || stop.trigger === trigger.seq) &&
    (stop.sound === undefined || stop.sound === trigger.sound)
  );
}

export class Cues {
  /** By sequence number. @type {Map<number, Cue>} */
  #active = new Map();
  #room;
  #bindings;
  #seen = new SeenNumbers();
  /** Triggers up to this number were silenced on this machine. */
  #silencedUpTo = 0;

  /**
   * @param {import('./room.js').Room} room whose bank names the sounds, and who this client is
   * @param {import('./bindings.js').Bindings} bindings what transposes them
   */
  constructor(room, bindings) {
    this.#room = room;
    this.#bindings = bindings;
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
   * that was stopped while this client was away is gone. The relay lists the latest triggers only, all from
   * `sounding_from` on: a cue of an older one goes on.
   */
  welcome(message, isNewEpoch) {
    if (isNewEpoch) {
      this.#seen = new SeenNumbers();
      this.#silencedUpTo = 0;
    }
    const known = isNewEpoch ? new Map() : this.#active;
    const { sounding, sounding_from: listedFrom = 0 } = message;
    this.#active = new Map([...known].filter(([seq]) => seq < listedFrom));
    for (const { trigger, stop_at: stopAt } of sounding) {
      this.#seen.add(trigger.seq);
      // The bank may have changed: the sound is as long as it was when it was triggered.
      const cue = known.get(trigger.seq) ?? this.#cueOf(trigger);
      if (!cue || trigger.seq <= this.#silencedUpTo) continue;
      cue.stopAt = stopAt;
      this.#active.set(trigger.seq, cue);
    }
  }

  /**
   * Takes a trigger; true if it is a new cue of this client. A duplicate changes nothing.
   * @param {number | null} relayNow for a trigger that starts on arrival; null if it is not known
   */
  trigger(message, relayNow = null) {
    if (!this.#seen.add(message.seq)) return false;
    const cue = this.#cueOf(message);
    if (!cue || message.seq <= this.#silencedUpTo) return false;
    if (message.on_arrival && relayNow !== null) cue.startOnArrival(relayNow);
    this.#active.set(message.seq, cue);
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

  /** Whether a trigger was silenced on this machine. */
  isSilenced(seq) {
    return seq <= this.#silencedUpTo;
  }

  /** Drops the cues that are over at `relayNow`, in µs of relay time. */
  prune(relayNow) {
    for (const [seq, cue] of this.#active) {
      cue.advance(relayNow - BEHIND_MICROS);
      if (cue.isOver(relayNow)) this.#active.delete(seq);
    }
  }

  #cueOf(trigger) {
    const delay = delayMicros(trigger, this.#room.address);
    if (delay === null) return undefined;
    return new Cue(trigger, delay, this.#room.sounds.get(trigger.sound), this.#bindings);
  }
}
