// The view Room: for those who run the room all machines, what is selected of them, the last bangs, and how
// others join; for everyone else who is here. This machine's own settings are in machine.js.

import { isPlayer } from '../state/machines.js';
import { Console } from './console.js';
import { element, setText } from './dom.js';
import { JoinPanel } from './join-panel.js';
import { ReceiptList } from './receipt-list.js';
import { Roster } from './roster.js';
import { SelectionPanel } from './selection-panel.js';

/** The parts of the view, of which a narrow screen shows one. */
const PANES = ['machines', 'bangs', 'joining', 'own'];

/** Screens on which the machines are always there, and another part beside them. */
const WIDE = '(min-width: 840px) and (min-height: 521px)';

export class RoomView {
  #room = element('room');
  #console;
  #selection;
  #receipts;
  #joining;
  #roster = new Roster();
  #wide = matchMedia(WIDE);
  /** @type {import('../state/machines.js').Machines | null} */
  #machines = null;
  #last = [];

  /**
   * @param {(action: import('../session/actions.js').Action) => void} perform
   * @param {() => boolean} isVisible whether the view is shown
   */
  constructor(perform, isVisible) {
    this.#console = new Console({
      isVisible,
      selected: (machines, rows) => this.#selection?.show(machines, rows),
      place: (placed) => perform({ type: 'place', placed }),
      number: (machines) => perform({ type: 'seat', machines, first: 1 }),
    });
    this.#selection = new SelectionPanel(perform, () => this.#console.clearSelection());
    this.#receipts = new ReceiptList((id) => this.#showMachine(id));
    this.#joining = new JoinPanel((url) => perform({ type: 'qr', url }));
    for (const pane of PANES) element(`pane-${pane}`).addEventListener('click', () => this.#showPane(pane));
    element('locked').addEventListener('change', ({ target }) => {
      perform({ type: 'lock', isLocked: target.checked });
    });
    this.#wide.addEventListener('change', () => this.#showPane(this.#room.dataset.pane));
    this.#showPane('machines');
  }

  /** The view is shown: it draws what has come meanwhile. */
  shown() {
    this.#console.draw();
  }

  /** Leaves what covers the page, or the selection. @returns {boolean} whether there was something to leave */
  close() {
    return this.#joining.close();
  }

  /** @param {{rights: string, isLocked: boolean}} room */
  showRights({ isLocked }) {
    element('locked').checked = isLocked;
    setText(element('lock-text'), isLocked ? 'Locked' : 'Lock');
    element('lock').classList.toggle('on', isLocked);
  }

  /** See roster.js. */
  showRoster(clients, total, ownId) {
    this.#roster.show(clients, total, ownId);
  }

  /** @param {import('../state/machines.js').Machines} machines */
  showMachines(machines, standard) {
    this.#machines = machines;
    this.#console.show(machines.all, standard);
    this.#joining.showCount(machines.all.filter(isPlayer).length);
    this.#showReceipts();
  }

  /** @param {{receipt: object, arrivedAt: number}[]} receipts the latest first */
  showReceipts(receipts) {
    this.#last = receipts;
    this.#showReceipts();
  }

  /** How others join; null if it is unknown. */
  showJoining(joining) {
    this.#joining.show(joining);
  }

  /** The QR code of a link. @param {string | null} image */
  showQr(url, image) {
    this.#joining.showQr(url, image);
  }

  #showReceipts() {
    this.#receipts.show(this.#last, (id) => this.#machines?.nameOf(id) ?? null);
  }

  #showMachine(id) {
    const machine = this.#machines?.all.find((one) => one.id === id);
    if (!machine) return;
    if (!this.#wide.matches) this.#showPane('machines');
    this.#console.select(machine.key);
  }

  #showPane(asked) {
    // Beside the machines there is always another part.
    const pane = this.#wide.matches && asked === 'machines' ? 'bangs' : asked;
    this.#room.dataset.pane = pane;
    for (const other of PANES) {
      if (other === pane) element(`pane-${other}`).setAttribute('aria-current', 'true');
      else element(`pane-${other}`).removeAttribute('aria-current');
    }
    this.#console.draw();
  }
}
