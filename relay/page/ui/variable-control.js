// The control of one variable, by its type: fader, stepper, switch, choice, field, colour, or button.
//
// Shows values when they take effect. While the user holds it, it shows what the user does; see
// state/held-value.js.

import { rounded } from '../state/fader.js';
import { HeldValue } from '../state/held-value.js';
import { make, setText } from './dom.js';
import { Fader } from './fader.js';

/** How long an event stays lit, in ms. */
const EVENT_MILLIS = 250;

/** Most choices that are shown side by side; more are a list. */
const MAX_SEGMENTS = 4;

/** Whose value is set, where each machine has one of its own. */
const WHOSE = [
  ['self', 'this machine'],
  ['all', 'all machines'],
  ['hand', 'as by hand'],
];

const option = ([value, text]) => make('option', { value }, text);

/** Longest text, in characters: 4096 bytes of JSON in any script. */
const MAX_TEXT = 1000;

/**
 * @callback OnSet
 * @param {any} value
 * @param {{isLast: boolean, isGliding: boolean}} how
 *
 * @typedef {{body: Node, show: (value: any) => void, isHeld?: () => boolean, value?: () => any}} Parts
 */

const ONCE = { isLast: true, isGliding: false };

/** The parts of a control for values of a type. @type {Record<string, (...args: any) => Parts>} */
const PARTS = {
  float: (variable, label, set, drop) => {
    const fader = new Fader(label, variable, (value, isLast) => set(value, { isLast, isGliding: true }), drop);
    return { body: fader.element, show: (value) => fader.show(value), isHeld: () => fader.isHeld };
  },

  int: (variable, label, set) => {
    const field = make('input', {
      type: 'number',
      min: variable.min,
      max: variable.max,
      step: 1,
      inputmode: 'numeric',
      'aria-label': label,
    });
    const current = () => Number(field.value);
    const change = (value) => {
      if (!Number.isFinite(value)) return;
      field.value = String(rounded(variable, value));
      set(Number(field.value), ONCE);
    };
    const button = (text, name, steps) => {
      const made = make('button', { type: 'button', 'aria-label': name }, text);
      made.addEventListener('click', () => change(current() + steps));
      return made;
    };
    field.addEventListener('change', () => change(current()));
    const unit = variable.unit ? [make('span.unit', {}, variable.unit)] : [];
    const less = button('−', `${label}: less`, -1);
    const body = make('div.stepper', {}, less, field, ...unit, button('+', `${label}: more`, 1));
    return {
      body,
      show: (value) => (field.value = value === null ? '' : String(value)),
      isHeld: () => document.activeElement === field,
      value: current,
    };
  },

  bool: (_, label, set) => {
    const box = make('input.switch', { type: 'checkbox', role: 'switch', 'aria-label': label });
    box.addEventListener('change', () => set(box.checked, ONCE));
    return { body: box, show: (value) => (box.checked = value === true), value: () => true };
  },

  enum: ({ name, choices }, label, set) => {
    if (choices.length > MAX_SEGMENTS) {
      const options = choices.map((choice) => option([choice, choice]));
      const select = make('select', { 'aria-label': label }, ...options);
      select.addEventListener('change', () => set(select.value, ONCE));
      return { body: select, show: (value) => (select.value = value ?? ''), value: () => select.value };
    }
    const radios = choices.map((choice) => make('input', { type: 'radio', name: `v ${name}`, value: choice }));
    const labels = radios.map((radio, at) => make('label', {}, radio, make('span', {}, choices[at])));
    const body = make('div.segments', { role: 'radiogroup', 'aria-label': label }, ...labels);
    body.addEventListener('change', ({ target }) => set(target.value, ONCE));
    const show = (value) => radios.forEach((radio) => (radio.checked = radio.value === value));
    return { body, show, value: () => radios.find(({ checked }) => checked)?.value ?? choices[0] };
  },

  text: (_, label, set) => {
    const field = make('input', {
      type: 'text',
      maxlength: MAX_TEXT,
      'aria-label': label,
      autocomplete: 'off',
    });
    field.addEventListener('change', () => set(field.value, ONCE));
    return {
      body: field,
      show: (value) => (field.value = value ?? ''),
      isHeld: () => document.activeElement === field,
      value: () => field.value,
    };
  },

  color: (_, label, set) => {
    const field = make('input', { type: 'color', 'aria-label': label });
    const text = make('code', {});
    const show = (value) => {
      field.value = value ?? '#000000';
      text.textContent = field.value;
    };
    field.addEventListener('input', () => {
      text.textContent = field.value;
      set(field.value, { isLast: false, isGliding: false });
    });
    field.addEventListener('change', () => set(field.value, ONCE));
    return { body: make('div.color', {}, field, text), show, value: () => field.value };
  },

  any: (_, label, set) => {
    const field = make('input.json', {
      type: 'text',
      'aria-label': `${label}, as JSON`,
      autocomplete: 'off',
      autocapitalize: 'off',
      spellcheck: 'false',
    });
    const parse = () => {
      try {
        return JSON.parse(field.value);
      } catch {
        return undefined;
      }
    };
    const check = () => field.setAttribute('aria-invalid', String(parse() === undefined));
    field.addEventListener('input', check);
    field.addEventListener('change', () => {
      const value = parse();
      if (value !== undefined) set(value, ONCE);
    });
    const show = (value) => {
      field.value = JSON.stringify(value);
      check();
    };
    return { body: field, show, isHeld: () => document.activeElement === field, value: parse };
  },
};

export class VariableControl {
  #held;
  #parts;
  #whose;
  #why = make('span.why', { hidden: true });
  #timer = null;

  /**
   * @param {object} variable
   * @param {any} value
   * @param {(value: any, how: {isLast: boolean, isGliding: boolean, whose: string}) => void} onSet
   */
  constructor(variable, value, onSet) {
    const { name, event, scope, unit } = variable;
    const label = variable.label ?? name;
    this.#held = new HeldValue(value);
    const whose = make('select.whose', { 'aria-label': `${label}: whose value` }, ...WHOSE.map(option));
    const set = (changed, how) => {
      if (!event) {
        this.#held.move(changed);
        if (how.isLast) this.#release();
      }
      onSet(changed, { ...how, whose: whose.value });
    };
    const drop = () => this.refuse();
    this.#parts = event ? eventParts(variable, label, set) : PARTS[variable.type](variable, label, set, drop);
    const head = make('div.variable-head', {}, make('span.variable-label', { title: name }, label));
    if (scope === 'machine') head.append(whose);
    head.append(this.#why);
    this.#whose = whose;
    const classes = `div.variable.${event ? 'event' : variable.type}`;
    this.element = make(classes, { 'data-variable': name, 'data-unit': unit }, head, this.#parts.body);
    this.#show();
  }

  /** A value has taken effect. @param {boolean} isOwn whether this client has set it */
  receive(value, isOwn) {
    this.#held.receive(value, isOwn, performance.now());
    if (this.element.classList.contains('event')) this.#lightEvent();
    else this.#show();
  }

  /** Why it cannot be set; null if it can. @param {import('../state/rights.js').Denial | null} denial */
  deny(denial) {
    this.element.classList.toggle('denied', denial !== null);
    this.#parts.body.inert = this.#whose.inert = denial !== null;
    this.#why.hidden = denial === null;
    this.#why.title = denial?.text ?? '';
    setText(this.#why, denial?.title.toLowerCase() ?? '');
  }

  /** The last value that was set here does not count: the relay refused it, or the hand has left unnoticed. */
  refuse() {
    this.#held.refuse();
    this.#show(true);
  }

  #release() {
    this.#held.release(performance.now());
    // If its own value never comes back, it shows the one that applies.
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#show(), this.#held.settlesAt - performance.now() + 1);
  }

  #show(always = false) {
    if (!always && this.#parts.isHeld?.()) return;
    this.#parts.show(this.#held.shown(performance.now()));
  }

  #lightEvent() {
    this.element.classList.add('heard');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.element.classList.remove('heard'), EVENT_MILLIS);
  }
}

/** A button that sends an event; with a field for its value, unless that is true anyway. */
function eventParts(variable, label, set) {
  const { type } = variable;
  const button = make('button.fire', { type: 'button', 'aria-label': `Send ${label}` }, 'Send');
  if (type === 'bool' || type === 'any') {
    button.addEventListener('pointerdown', ({ button: pressed }) => pressed === 0 && set(true, ONCE));
    // A click without pointer comes from a key or a screen reader.
    button.addEventListener('click', ({ detail }) => detail === 0 && set(true, ONCE));
    return { body: button, show: () => {} };
  }
  const { min, choices } = variable;
  const start = { float: min, int: min, enum: choices?.[0], text: '', color: '#ffffff' };
  let value = start[type];
  const parts = PARTS[type](variable, label, (changed) => (value = changed));
  parts.show(value);
  button.addEventListener('click', () => set(parts.value?.() ?? value, ONCE));
  return { body: make('div.event-parts', {}, parts.body, button), show: () => {} };
}
