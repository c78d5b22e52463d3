// One row of the list of machines: who it is, what is wrong with it, and how it does.

import { isPlayer } from '../state/machines.js';
import { LOOSE_MICROS } from '../state/sync-status.js';
import { versionOf } from '../state/trouble.js';
import { formatMicros } from '../state/units.js';
import { make, setText } from './dom.js';

/** The lowest level shown, in dB below full scale. */
const FLOOR_DB = -60;

/** The cells of a row, and what they are called where the list has no head. */
const CELLS = [
  ['sounds', 'sounds'],
  ['sync', ''],
  ['latency', ''],
  ['last', ''],
  ['xruns', 'dropouts'],
];

export const KIND_TEXTS = {
  window: 'window',
  headless: 'player',
  page: 'page',
  remote: 'remote',
  tutorial: 'tutorial client',
};

/** The kind, version and tags of a machine. */
function descriptionOf({ isAway, kind, client, tags = [] }) {
  const program = isAway ? 'away' : [KIND_TEXTS[kind] ?? kind, versionOf(client)].filter(Boolean).join(' ');
  return [program, ...tags.map((tag) => `#${tag}`)].join(' · ');
}

/** How late the last bang was. */
function lastBangOf({ triggers, lateness_micros: lateness }) {
  if (!triggers || lateness === undefined) return '–';
  return lateness === 0 ? 'on time' : `${formatMicros(lateness)} late`;
}

export class MachineRow {
  #seat = make('span.seat');
  #name = make('span.name');
  #kind = make('span.kind');
  #trouble = make('b.trouble-text');
  #advice = make('span.advice');
  #cells = Object.fromEntries(
    CELLS.map(([cell, label]) => [cell, make(`span.cell.${cell}`, { 'data-label': label })]),
  );
  #latency = make('span');
  #output = make('span.output');
  #level = make('span.level-fill');
  #levelText = make('span.level-text');
  #isSelected;

  /** @param {(key: string) => boolean} isSelected */
  constructor(isSelected) {
    this.#isSelected = isSelected;
    this.#cells.latency.append(this.#latency, this.#output);
    this.element = make(
      'div.machine.virtual-row',
      {},
      make('span.pick', { 'aria-hidden': 'true' }, make('i')),
      this.#seat,
      make('span.who', {}, this.#name, this.#kind),
      make('span.trouble', {}, this.#trouble, this.#advice),
      make('span.cells', {}, ...Object.values(this.#cells)),
      make('span.level', {}, make('span.level-bar', {}, this.#level), this.#levelText),
    );
  }

  /** @param {import('../state/machine-list.js').Row} row */
  show({ machine, troubles, sounds, recent }) {
    const { key, name, seat } = machine;
    const [worst] = troubles;
    const isSelected = this.#isSelected(key);
    this.element.dataset.level = worst?.level ?? (isPlayer(machine) ? 'good' : 'none');
    this.element.classList.toggle('selected', isSelected);
    this.element.setAttribute('aria-selected', String(isSelected));
    setText(this.#seat, seat ? String(seat) : '–');
    setText(this.#name, name);
    setText(this.#kind, descriptionOf(machine));
    setText(this.#trouble, worst?.text ?? (isPlayer(machine) ? 'Ready' : ''));
    const others = troubles.length > 1 ? ` (and ${troubles.length - 1} more)` : '';
    setText(this.#advice, worst ? worst.advice + others : '');
    this.#showReport(machine, sounds, recent);
    const words = troubles.map(({ text, advice }) => `${text}. ${advice}`).join(' ');
    this.element.setAttribute('aria-label', `${name}, ${seat ? `seat ${seat}` : 'no seat'}. ${words}`);
    this.element.title = words;
  }

  #showReport(machine, sounds, recent) {
    const report = isPlayer(machine) ? machine.report : undefined;
    const set = (cell, text, level = '') => {
      setText(this.#cells[cell], text);
      this.#cells[cell].dataset.level = level;
    };
    const { ready, clock_error_micros: error, latency_micros: latency, xruns } = report ?? {};
    set('sounds', ready === undefined ? '–' : `${ready} of ${sounds}`, ready < sounds ? 'warn' : '');
    set('sync', error === undefined ? '–' : `±${formatMicros(error)}`, error > LOOSE_MICROS ? 'warn' : '');
    setText(this.#latency, latency === undefined ? '–' : formatMicros(latency));
    setText(this.#output, report?.output ?? '');
    this.#cells.latency.dataset.level = report && latency === undefined ? 'bad' : '';
    set('last', report ? lastBangOf(report) : '–', report?.lateness_micros > 0 ? 'warn' : '');
    set('xruns', xruns === undefined ? '–' : String(xruns), recent.xruns > 0 ? 'warn' : '');
    const levelDb = report?.level_db;
    const share = levelDb === undefined ? 0 : Math.max(0, Math.min(1, 1 - levelDb / FLOOR_DB));
    this.#level.style.transform = `scaleX(${share})`;
    const isMuted = report?.muted === true;
    setText(this.#levelText, isMuted ? 'muted' : levelDb === undefined ? '' : `${levelDb}`.replace('-', '−'));
  }
}
