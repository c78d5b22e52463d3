// What those who run the room ask the relay for: changes of machines, of the lock, and of the bank.

import { validName } from '../protocol/names.js';
import { placeAt } from '../state/plan.js';
import { tagRequests, targetsOf } from '../state/machine-edit.js';

/** Requests a second of what changes many machines one by one, by far less than a relay allows. */
const PACE_MILLIS = 20;

/** Most requests that wait for their turn: one for each machine of a large room. */
const MAX_PACED = 4096;

export class Conductor {
  #requests;
  #ui;
  #setTimer;
  #paced = [];

  /**
   * @param {import('./requests.js').Requests} requests
   * @param {import('../ui/ui.js').Ui} ui
   * @param {typeof setTimeout} setTimer
   */
  constructor(requests, ui, setTimer = (...args) => globalThis.setTimeout(...args)) {
    this.#requests = requests;
    this.#ui = ui;
    this.#setTimer = setTimer;
  }

  /** Changes what is kept of machines. @param {import('../state/machines.js').Machine[]} machines */
  assign(machines, changed) {
    if (changed.name !== undefined) {
      const name = validName(changed.name);
      if (name === null) return this.#ui.notify('A name has 1 to 64 visible characters.', 'bad');
      changed = { ...changed, name };
    }
    for (const target of targetsOf(machines)) this.#send({ type: 'assign', ...target, ...changed });
  }

  /** Adds a tag to machines, or takes one away. */
  tag(machines, { add, remove }) {
    const added = add === undefined ? undefined : validName(add);
    if (added === null) return this.#ui.notify('A tag has 1 to 64 visible characters.', 'bad');
    for (const request of tagRequests(machines, { add: added, remove })) {
      this.#send({ type: 'assign', ...request });
    }
  }

  /** Gives machines the seats from `first` on, in this order. */
  seat(machines, first) {
    this.#pace(machines.map((machine, at) => [machine, { seat: first + at }]));
  }

  /** Gives machines their places on the plan. @param {{machine: object, place: object}[]} placed */
  place(placed) {
    this.#pace(placed.map(({ machine, place }) => [machine, { place: placeAt(place.x, place.y) }]));
  }

  /** Lets connected machines do something. @param {'identify' | 'restart_output'} command */
  command(machines, command) {
    for (const { clients } of targetsOf(machines)) if (clients) this.#send({ type: 'command', clients, command });
  }

  /** Forgets machines that are away. */
  forget(machines) {
    const away = machines.filter(({ isAway }) => isAway);
    for (const target of targetsOf(away)) this.#send({ type: 'forget', machines: target.machines });
  }

  lock(locked) {
    this.#send({ type: 'lock', locked });
  }

  /** Changes sounds of the bank. */
  editSounds({ sounds, defaultSound }) {
    const name = sounds?.[0]?.name;
    if (name !== undefined && validName(name) === null) {
      return this.#ui.notify('A name has 1 to 64 visible characters.', 'bad');
    }
    this.#send({ type: 'edit_sounds', sounds, default_sound: defaultSound });
  }

  #pace(changes) {
    const isRunning = this.#paced.length > 0;
    this.#paced = [...this.#paced, ...changes].slice(0, MAX_PACED);
    if (!isRunning) this.#sendPaced();
  }

  #sendPaced() {
    const [next] = this.#paced;
    if (!next) return;
    const [machine, changed] = next;
    const [target] = targetsOf([machine]);
    if (!this.#send({ type: 'assign', ...target, ...changed })) {
      this.#paced = [];
      return;
    }
    this.#setTimer(() => {
      this.#paced.shift();
      this.#sendPaced();
    }, PACE_MILLIS);
  }

  #send(message) {
    const isSent = this.#requests.send(message);
    if (!isSent) this.#ui.notify('Not connected: the change was not sent.', 'bad');
    return isSent;
  }
}
