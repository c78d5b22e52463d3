// Watches the room while someone looks at it: all machines, the receipts, and how others join.
//
// Who does not look is not sent it: the watch ends when the view or the page is left.

/** The views that show what is watched. */
const WATCHING_VIEWS = ['room', 'sounds'];

export class RoomWatch {
  #requests;
  #room;
  #machines;
  #receipts;
  #ui;
  #now;
  #isVisible;
  #view = '';
  #isWatching = false;

  /**
   * @param {object} parts
   * @param {import('./requests.js').Requests} parts.requests
   * @param {import('../state/room.js').Room} parts.room
   * @param {import('../state/machines.js').Machines} parts.machines
   * @param {import('../state/receipts.js').Receipts} parts.receipts
   * @param {import('../ui/ui.js').Ui} parts.ui
   * @param {() => number} parts.now local time, in µs
   * @param {() => boolean} parts.isVisible whether the page is
   */
  constructor({ requests, room, machines, receipts, ui, now, isVisible }) {
    this.#requests = requests;
    this.#room = room;
    this.#machines = machines;
    this.#receipts = receipts;
    this.#ui = ui;
    this.#now = now;
    this.#isVisible = isVisible;
  }

  /** Another view is shown. */
  show(view) {
    this.#view = view;
    this.refresh();
  }

  /** The rights, the view or the page's visibility may have changed. */
  refresh() {
    const isAllowed = this.#room.id !== null && this.#room.rights === 'conductor';
    const watches = isAllowed && WATCHING_VIEWS.includes(this.#view) && this.#isVisible();
    if (watches === this.#isWatching) return;
    // Who may not watch any more is not sent anything, and need not say so.
    if (isAllowed && !this.#requests.send({ type: 'watch', room: watches })) return;
    this.#isWatching = watches;
    if (!watches) return;
    // What is shown stays until the first messages replace it: they begin with an empty list.
    this.#machines.clear();
    this.#receipts.clear();
  }

  /** A new connection: it watches nothing yet. */
  welcome() {
    this.#isWatching = false;
    this.refresh();
  }

  disconnected() {
    this.#isWatching = false;
    this.#machines.clear();
    this.#receipts.clear();
    this.#ui.room.showJoining(null);
    this.#show();
  }

  /** Takes what has changed among the machines. */
  changed(message) {
    this.#machines.apply(message, this.#now() / 1000);
    this.#show();
  }

  /** Takes a receipt. */
  receipt(message) {
    this.#receipts.apply(message, this.#now() / 1000);
    this.#ui.room.showReceipts(this.#receipts.latest);
  }

  /** The bank or the limits have changed. */
  standardChanged() {
    if (this.#isWatching) this.#show();
  }

  #show() {
    this.#ui.room.showMachines(this.#machines, this.#room.standard);
    this.#ui.room.showReceipts(this.#receipts.latest);
    this.#ui.bank.showPlayers(this.#machines.players, this.#room.standard);
  }
}
