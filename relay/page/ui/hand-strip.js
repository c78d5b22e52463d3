// The strip "By hand": shows and sets what a press of a pad asks for.

import { formatMicros } from '../state/units.js';
import { CHOSEN, EVERYONE, HAND_RANGES, ONE, OTHERS, tagTarget } from '../state/hand.js';
import { SHAPES } from '../protocol/fields.js';
import { element, make, setText } from './dom.js';
import { Fader, faderRow } from './fader.js';
import { segments } from './fields.js';

const FADERS = [
  { value: 'gainDb', label: 'Gain', unit: 'dB', step: 0.5 },
  { value: 'semitones', label: 'Transpose', unit: 'st', type: 'int' },
  { value: 'cents', label: 'Fine', unit: 'ct', type: 'int' },
  { value: 'pan', label: 'Pan', unit: '', step: 0.01 },
];

const TONE_FADERS = [
  { value: 'frequency', label: 'Frequency', unit: 'Hz', scale: 'logarithmic' },
  { value: 'durationMillis', label: 'Duration', unit: 'ms', scale: 'logarithmic', max: 20_000 },
];

const TARGETS = [
  [EVERYONE, 'Everyone'],
  [OTHERS, 'All but me'],
  [ONE, 'One at random'],
  [CHOSEN, 'Chosen machines'],
];

const SHAPE_TEXTS = { sine: 'Sine', triangle: 'Tri', saw: 'Saw', square: 'Square' };

const WHENS = [
  ['together', 'Together'],
  ['after', 'After'],
  ['now', 'Now'],
];

export class HandStrip {
  #perform;
  /** By the value that they set. @type {Map<string, Fader>} */
  #faders = new Map();
  #shapes;
  #whens;
  #target = element('hand-target');
  #machines = element('hand-machines');
  #stagger = element('hand-stagger');
  #after = element('hand-after');
  #clients = [];
  #chosen = [];
  #shownTarget = EVERYONE;

  /** @param {(action: import('../session/actions.js').Action) => void} perform */
  constructor(perform) {
    this.#perform = perform;
    element('hand-faders').append(...FADERS.map((spec) => this.#fader(spec)));
    element('tone-faders').append(...TONE_FADERS.map((spec) => this.#fader(spec)));
    const shapes = SHAPES.map((shape) => [shape, SHAPE_TEXTS[shape]]);
    this.#shapes = segments('shape', shapes, (shape) => this.#set({ shape }));
    element('tone-shapes').append(this.#shapes.element);
    this.#whens = segments('when', WHENS, (when) => this.#set({ when }));
    element('hand-when').append(this.#whens.element);
    this.#target.addEventListener('change', () => this.#set({ target: this.#target.value }));
    this.#stagger.addEventListener('change', () => this.#set({ staggerMillis: Number(this.#stagger.value) }));
    this.#after.addEventListener('change', () => this.#set({ afterMillis: Number(this.#after.value) }));
    element('hand-reset').addEventListener('click', () => perform({ type: 'hand' }));
    element('frequency-bound').addEventListener('change', ({ target }) => {
      this.#set({ frequency: target.checked ? null : HAND_RANGES.frequency.start });
    });
    this.showTargets([], []);
  }

  /** @param {import('../state/hand.js').Hand} hand */
  show({ current, isNeutral }) {
    for (const [name, fader] of this.#faders) {
      if (!fader.isHeld && current[name] !== null) fader.show(current[name]);
    }
    this.#shapes.show(current.shape);
    this.#whens.show(current.when);
    this.#after.value = String(current.afterMillis);
    this.#stagger.value = String(current.staggerMillis);
    element('hand-after-row').hidden = current.when !== 'after';
    element('frequency-bound').checked = current.frequency === null;
    this.#faders.get('frequency').element.parentElement.classList.toggle('off', current.frequency === null);
    this.#chosen = current.clients;
    this.#shownTarget = current.target;
    this.#target.value = current.target;
    this.#showMachines();
    element('hand-reset').hidden = isNeutral;
    element('hand-toggle').classList.toggle('changed', !isNeutral);
    setText(element('hand-summary'), isNeutral ? '' : summaryOf(current));
    setText(element('tone-summary'), toneSummaryOf(current));
  }

  /** Whether a press plays nothing, so that there is nothing to set. */
  deny(isDenied) {
    element('hand').inert = isDenied;
    element('hand').classList.toggle('denied', isDenied);
  }

  /** Who can be a target. */
  showTargets(clients, tags) {
    this.#clients = clients.filter(({ kind }) => kind !== 'remote' && kind !== 'tutorial');
    const choices = [...TARGETS, ...tags.map((tag) => [tagTarget(tag), `Tag: ${tag}`])];
    if (!choices.some(([value]) => value === this.#shownTarget)) {
      // The last machine with that tag has left: it stays the choice.
      choices.push([this.#shownTarget, `Tag: ${this.#shownTarget.slice(tagTarget('').length)}`]);
    }
    const options = choices.map(([value, text]) => make('option', { value }, text));
    if (optionsText(options) !== optionsText([...this.#target.options])) {
      this.#target.replaceChildren(...options);
    }
    this.#target.value = this.#shownTarget;
    this.#showMachines();
  }

  /** Whether a variable drives the frequency of tones. */
  showFrequencyIsBound(isBound) {
    element('frequency-bound-row').hidden = !isBound;
  }

  #showMachines() {
    const isShown = this.#shownTarget === CHOSEN;
    this.#machines.hidden = !isShown;
    if (!isShown) return;
    const chips = this.#clients.map(({ id, name }) => {
      const isChosen = this.#chosen.includes(id);
      const chip = make('button.chip', { type: 'button', 'aria-pressed': isChosen ? 'true' : 'false' }, name);
      chip.addEventListener('click', () => {
        const others = this.#chosen.filter((other) => other !== id);
        this.#set({ clients: isChosen ? others : [...others, id] });
      });
      return chip;
    });
    this.#machines.replaceChildren(...chips);
  }

  #fader({ value, label, unit, step, type = 'float', scale, max }) {
    const { start, ...range } = HAND_RANGES[value];
    const own = { type, min: range.min, max: max ?? range.max, default: start, unit, step, scale };
    const fader = new Fader(label, own, (changed) => this.#set({ [value]: changed }));
    this.#faders.set(value, fader);
    return faderRow(label, fader);
  }

  #set(changed) {
    this.#perform({ type: 'hand', changed });
  }
}

function optionsText(options) {
  return options.map(({ value }) => value).join('\n');
}

function toneSummaryOf({ frequency, durationMillis, shape }) {
  const pitch = frequency === null ? 'by the variables' : `${Math.round(frequency * 10) / 10} Hz`;
  return [shape, pitch, formatMicros(durationMillis * 1000)].join(' · ');
}

/** What differs from the start, in a few words. */
function summaryOf({ gainDb, semitones, cents, pan, target, staggerMillis, when, afterMillis }) {
  const signed = (value) => `${value > 0 ? '+' : '−'}${Math.abs(value)}`;
  const side = pan < 0 ? 'left' : 'right';
  const known = TARGETS.find(([value]) => value === target)?.[1] ?? target.replace(tagTarget(''), '');
  const parts = [
    gainDb !== 0 && `${signed(Math.round(gainDb * 10) / 10)} dB`,
    (semitones !== 0 || cents !== 0) && `${signed(Math.round((semitones + cents / 100) * 100) / 100)} st`,
    pan !== 0 && `${Math.round(Math.abs(pan) * 100)} % ${side}`,
    target !== EVERYONE && known.toLowerCase(),
    staggerMillis > 0 && `every ${formatMicros(staggerMillis * 1000)}`,
    when === 'now' && 'now',
    when === 'after' && `in ${formatMicros(afterMillis * 1000)}`,
  ];
  return parts.filter((part) => part !== false).join(' · ');
}
