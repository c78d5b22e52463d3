// What can be done with the selected machines, one or many: name, seat, tags, volume, mute, extra latency, rights,
// identify, restart the output, forget.

import { Expected } from '../state/expected.js';
import { MIXED, sharedOf } from '../state/machine-edit.js';
import { isPlayer } from '../state/machines.js';
import { RIGHTS_TEXTS } from '../state/rights.js';
import { formatMicros } from '../state/units.js';
import { SILENT_DB } from '../state/volume.js';
import { element, make, setText } from './dom.js';
import { Fader } from './fader.js';
import { button, field, iconButton, segments, stepper, textField, toggle } from './fields.js';
import { TagEditor } from './tag-editor.js';

/** Minimum interval between two values of a moved fader, in ms: each is told to the whole room. */
const INTERVAL_MILLIS = 100;

const VOLUME = { type: 'float', min: SILENT_DB, max: 0, default: 0, unit: 'dB', step: 0.5 };
const LATENCY = { min: -500, max: 500, step: 0.1, unit: 'ms' };
const SEAT = { min: 0, max: 9999, step: 1, inputmode: 'numeric' };
const VARIOUS = 'various';

export class SelectionPanel {
  #panel = element('selection');
  #perform;
  #expected = new Expected();
  /** @type {import('../state/machines.js').Machine[]} */
  #machines = [];
  #keys = '';
  #sentAt = -Infinity;
  #title = make('h2.panel-title');
  #troubles = make('ul.troubles');
  #facts = make('dl.facts');
  #name;
  #seat;
  #tags;
  #volume;
  #mute;
  #latency;
  #rights;
  #parts;

  /**
   * @param {(action: import('../session/actions.js').Action) => void} perform
   * @param {() => void} onClose
   */
  constructor(perform, onClose) {
    this.#perform = perform;
    const assign = (changed) => perform({ type: 'assign', machines: this.#machines, changed });
    this.#name = textField('Name', (name) => assign({ name }), { maxlength: 64 });
    this.#seat = stepper('Seat', SEAT, (seat) => this.#setSeat(seat));
    this.#tags = new TagEditor((change) => perform({ type: 'tag', machines: this.#machines, ...change }));
    this.#volume = new Fader('Volume', VOLUME, (value, isLast) => this.#setVolume(value, isLast));
    this.#mute = toggle('Mute', (muted) => this.#assignReported('isMuted', muted, { muted }));
    this.#latency = stepper('Extra latency', LATENCY, (millis) => {
      const micros = Math.round(millis * 1000);
      this.#assignReported('extraLatencyMicros', micros, { extra_latency_micros: micros });
    });
    this.#rights = segments('rights', Object.entries(RIGHTS_TEXTS), (rights) => assign({ rights }));
    const command = (name) => () => perform({ type: 'command', machines: this.#machines, command: name });
    this.#parts = {
      name: field('Name', this.#name.input),
      seat: field('Seat', this.#seat.element),
      tags: field('Tags', this.#tags.element),
      volume: field('Volume', this.#volume.element),
      mute: make('label.setting', {}, make('span.setting-label', {}, 'Mute'), this.#mute),
      latency: field('Extra latency', this.#latency.element),
      rights: field('Rights', this.#rights.element),
      commands: make(
        'div.panel-actions',
        {},
        iconButton('button.quiet', 'flash', 'Identify', command('identify'), { title: 'It flashes and ticks' }),
        iconButton('button.quiet', 'restart', 'Restart output', command('restart_output')),
      ),
      forget: button('button.quiet.danger', 'Forget', () => perform({ type: 'forget', machines: this.#machines })),
    };
    const close = iconButton('button.icon-button', 'close', '', onClose, { 'aria-label': 'Select nothing' });
    const head = make('div.section-head', {}, this.#title, close);
    this.#panel.append(head, this.#troubles, ...Object.values(this.#parts), this.#facts);
  }

  /**
   * @param {import('../state/machines.js').Machine[]} machines
   * @param {import('../state/machine-list.js').Row[]} rows
   */
  show(machines, rows) {
    this.#panel.hidden = machines.length === 0;
    document.body.classList.toggle('has-selection', machines.length > 0);
    const keys = machines.map(({ key }) => key).join();
    if (keys !== this.#keys) {
      this.#keys = keys;
      this.#expected.clear();
      this.#panel.scrollTop = 0;
      // What was typed for others is not for these.
      if (this.#panel.contains(document.activeElement)) document.activeElement.blur();
    }
    this.#machines = machines;
    if (machines.length === 0) return;
    const isOne = machines.length === 1;
    setText(this.#title, isOne ? machines[0].name : `${machines.length} machines`);
    this.#showTroubles(isOne ? rows[0].troubles : []);
    this.#showFacts(isOne ? machines[0] : null);
    this.#showControls(machines, isOne);
  }

  #showControls(machines, isOne) {
    const shared = sharedOf(machines);
    const players = machines.filter(isPlayer);
    const here = machines.filter(({ isAway }) => !isAway);
    this.#parts.name.hidden = !isOne;
    this.#parts.volume.hidden = this.#parts.mute.hidden = this.#parts.latency.hidden = players.length === 0;
    this.#parts.commands.hidden = here.length === 0;
    this.#parts.rights.hidden = here.length === 0;
    this.#parts.forget.hidden = here.length > 0;
    this.#name.show(isOne ? machines[0].name : '');
    setText(this.#parts.seat.firstChild, isOne ? 'Seat' : 'Seats from');
    this.#seat.show(isOne ? shared.seat : undefined, isOne ? 'none' : 'number');
    this.#tags.show(machines);
    const now = performance.now();
    const valueOf = (name) => this.#expected.shown(name, shared[name], now);
    const volume = valueOf('volumeDb');
    if (!this.#volume.isHeld && typeof volume === 'number') this.#volume.show(volume);
    this.#parts.volume.classList.toggle('various', volume === MIXED);
    const isMuted = valueOf('isMuted');
    this.#mute.checked = isMuted === true;
    this.#mute.indeterminate = isMuted === MIXED;
    const micros = valueOf('extraLatencyMicros');
    this.#latency.show(typeof micros === 'number' ? micros / 1000 : undefined, micros === MIXED ? VARIOUS : '');
    this.#rights.show(shared.rights);
  }

  #showTroubles(troubles) {
    const items = troubles.map(({ level, text, advice }) =>
      make('li', { 'data-level': level }, make('b', {}, text), ' ', make('span', {}, advice)),
    );
    // Replaced only if it differs, so that it can be read.
    const list = make('ul', {}, ...items);
    if (list.innerHTML !== this.#troubles.innerHTML) this.#troubles.replaceChildren(...items);
  }

  #showFacts(machine) {
    this.#facts.hidden = machine === null;
    if (machine === null) return;
    const { report, client } = machine;
    const micros = (value) => (value === undefined ? '–' : formatMicros(value));
    const facts = [
      ['Program', client || '–'],
      ['Output', report?.output ?? '–'],
      ['Output latency', micros(report?.latency_micros)],
      ['Needs a lead of', micros(report?.lead_micros)],
      ['Late starts', report ? `${report.late} of ${report.triggers}` : '–'],
      ['Dropouts', report ? String(report.xruns) : '–'],
    ];
    const rows = facts.map(([name, text]) => make('div', {}, make('dt', {}, name), make('dd', {}, text)));
    if (machine.isAway) rows.length = 0;
    this.#facts.replaceChildren(...rows);
  }

  /** One machine gets a seat; several are numbered from it on, in their order. */
  #setSeat(seat) {
    const machines = this.#machines;
    if (machines.length === 1) this.#perform({ type: 'assign', machines, changed: { seat } });
    else if (seat > 0) this.#perform({ type: 'seat', machines, first: seat });
  }

  #setVolume(volumeDb, isLast) {
    const now = performance.now();
    this.#expected.expect('volumeDb', volumeDb, now);
    this.#parts.volume.classList.remove('various');
    if (!isLast && now - this.#sentAt < INTERVAL_MILLIS) return;
    this.#sentAt = now;
    this.#perform({ type: 'assign', machines: this.#machines, changed: { volume_db: volumeDb } });
  }

  /** Changes what machines report themselves, later. */
  #assignReported(name, value, changed) {
    this.#expected.expect(name, value, performance.now());
    this.#perform({ type: 'assign', machines: this.#machines, changed });
  }
}
