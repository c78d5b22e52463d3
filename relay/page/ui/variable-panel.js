// The variables of the room, grouped as they are declared, each with the control that fits its type.

import { deedOf, denialOf } from '../state/rights.js';
import { element, make } from './dom.js';
import { VariableControl } from './variable-control.js';

/** Requests whose answer is awaited; of more, the oldest is forgotten. */
const MAX_AWAITED = 64;

export class VariablePanel {
  #perform;
  /** By name, with the declaration that it was made for. */
  #controls = new Map();
  /** Names of variables by the `ack` of the request that set them. @type {Map<number, string>} */
  #awaited = new Map();
  #room = { rights: 'conductor', isLocked: false };

  /** @param {(action: import('../session/actions.js').Action) => void} perform */
  constructor(perform) {
    this.#perform = perform;
  }

  /**
   * Shows the declared variables.
   * @param {object[]} variables
   * @param {(name: string) => any} valueOf
   */
  show(variables, valueOf) {
    const known = this.#controls;
    this.#controls = new Map();
    const groups = new Map();
    for (const variable of variables) {
      const declaration = JSON.stringify(variable);
      let entry = known.get(variable.name);
      if (entry?.declaration === declaration) entry.control.receive(valueOf(variable.name), false);
      else entry = { declaration, control: this.#create(variable, valueOf(variable.name)) };
      this.#controls.set(variable.name, entry);
      const group = variable.group ?? '';
      groups.set(group, [...(groups.get(group) ?? []), entry.control.element]);
    }
    const sections = [...groups].map(([name, controls]) => {
      const heading = name === '' ? [] : [make('h3', {}, name)];
      return make('section.group', {}, ...heading, ...controls);
    });
    this.showRights(this.#room);
    element('variable-list').replaceChildren(...sections);
    element('no-variables').hidden = variables.length > 0;
    element('variable-count').textContent = variables.length === 0 ? '' : String(variables.length);
  }

  /** What this client may set; a control that it may not use says why. */
  showRights(room) {
    this.#room = room;
    for (const { declaration, control } of this.#controls.values()) {
      control.deny(denialOf(deedOf(JSON.parse(declaration)), room));
    }
  }

  /** A value has taken effect. */
  receive(name, value, isOwn) {
    this.#controls.get(name)?.control.receive(value, isOwn);
  }

  /** The answer to a request will have this number. */
  expectAck(ack, name) {
    this.#awaited.set(ack, name);
    if (this.#awaited.size > MAX_AWAITED) this.#awaited.delete(this.#awaited.keys().next().value);
  }

  /** The relay refused a request. */
  refuse(ack) {
    this.#controls.get(this.#awaited.get(ack))?.control.refuse();
    this.#awaited.delete(ack);
  }

  #create(variable, value) {
    const { name } = variable;
    return new VariableControl(variable, value, (changed, how) =>
      this.#perform({ type: 'set', name, value: changed, ...how }),
    );
  }
}
