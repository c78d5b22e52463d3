// Parts of forms that several panels use: a labelled row, a number with buttons beside it, a switch, a list of
// choices.

import { make } from './dom.js';

/** A row with a label before a control. */
export function field(label, ...controls) {
  return make('div.setting', {}, make('span.setting-label', {}, label), ...controls);
}

/** @param {string} tag with its classes @param {() => void} onClick */
export function button(tag, text, onClick, attributes = {}) {
  const made = make(tag, { type: 'button', ...attributes }, text);
  made.addEventListener('click', onClick);
  return made;
}

/** A button with an icon before its text. */
export function iconButton(tag, icon, text, onClick, attributes = {}) {
  const made = button(tag, '', onClick, attributes);
  made.append(make(`span.icon.icon-${icon}`, { 'aria-hidden': 'true' }), text);
  return made;
}

/**
 * A number with buttons for less and more.
 * @param {string} label
 * @param {{min: number, max: number, step: number, unit?: string, inputmode?: string}} range
 * @param {(value: number) => void} onSet
 */
export function stepper(label, { min, max, step, unit, inputmode = 'decimal' }, onSet) {
  const input = make('input', { type: 'number', min, max, step, inputmode, 'aria-label': label });
  const set = (value) => {
    const kept = Math.min(max, Math.max(min, Math.round(value / step) * step || 0));
    input.value = String(Number(kept.toFixed(3)));
    onSet(Number(input.value));
  };
  const more = Math.max(1, step);
  input.addEventListener('change', () => input.value !== '' && set(Number(input.value)));
  const element = make(
    'div.stepper',
    {},
    button('button', '−', () => set(Number(input.value) - more), { 'aria-label': `${label}: less` }),
    input,
    ...(unit ? [make('span.unit', {}, unit)] : []),
    button('button', '+', () => set(Number(input.value) + more), { 'aria-label': `${label}: more` }),
  );
  const show = (value, placeholder = '') => {
    if (document.activeElement === input) return;
    input.value = value === undefined ? '' : String(value);
    input.placeholder = placeholder;
  };
  return { element, input, show };
}

/** @param {(isOn: boolean) => void} onSet */
export function toggle(label, onSet) {
  const input = make('input.switch', { type: 'checkbox', role: 'switch', 'aria-label': label });
  input.addEventListener('change', () => onSet(input.checked));
  return input;
}

/** Choices side by side. @param {[string, string][]} choices @param {(value: string) => void} onChoose */
export function segments(group, choices, onChoose) {
  const radios = choices.map(([value, text]) =>
    make('input', { type: 'radio', name: group, value, 'aria-label': text }),
  );
  const labels = choices.map(([, text], at) => make('label', {}, radios[at], make('span', {}, text)));
  const element = make('div.segments', {}, ...labels);
  element.addEventListener('change', ({ target }) => onChoose(target.value));
  return {
    element,
    show: (value) => radios.forEach((radio) => (radio.checked = radio.value === value)),
  };
}

/** A text that is set when the field is left. @param {(text: string) => void} onSet */
export function textField(label, onSet, attributes = {}) {
  const input = make('input', {
    type: 'text',
    'aria-label': label,
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    enterkeyhint: 'done',
    ...attributes,
  });
  input.addEventListener('change', () => onSet(input.value));
  const show = (text, placeholder = '') => {
    if (document.activeElement === input) return;
    input.value = text;
    input.placeholder = placeholder;
  };
  return { input, show };
}
