// Finds out why the relay rejects this page, shows it, and asks for a room code or a token if one may help.

import { askRejectionReason, describeReason, isPermanent, wantsToken } from '../net/admission.js';
import { joinByCode } from '../net/join.js';
import { parseCode } from '../protocol/room-code.js';
import { tokenIn, withToken } from '../protocol/token.js';

export class AdmissionCheck {
  #connection;
  #ui;
  #join;
  #ask;
  #isAsking = false;

  /**
   * @param {import('../net/connection.js').Connection} connection
   * @param {import('../ui/ui.js').Ui} ui
   * @param {typeof joinByCode} join
   * @param {typeof askRejectionReason} ask
   */
  constructor(connection, ui, join = joinByCode, ask = askRejectionReason) {
    this.#connection = connection;
    this.#ui = ui;
    this.#join = join;
    this.#ask = ask;
  }

  /** The relay has accepted the page. */
  accepted() {
    this.#ui.showProblem(null);
    this.#ui.askForToken(null);
  }

  /** The connection is lost, for a reason yet unknown. */
  lost() {
    this.#ui.showProblem(describeReason('no_answer'));
  }

  /** A connection attempt has failed: asks the relay for the reason. */
  async attemptFailed() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const token = tokenIn(location.hash);
    const reason = await this.#ask(token);
    this.#isAsking = false;
    // Meanwhile the page may be connected, or have another token.
    const { state } = this.#connection;
    if (state === 'connected' || token !== tokenIn(location.hash)) return;
    const text = describeReason(reason, location.origin);
    const isRejected = isPermanent(reason);
    if (isRejected) this.#connection.slowDown();
    this.#ui.showState(isRejected ? 'rejected' : state);
    this.#ui.askForToken(wantsToken(reason) ? text : null);
    this.#ui.showProblem(wantsToken(reason) ? null : text);
  }

  /**
   * Joins with what was typed: a room code, which the relay exchanges for a token, or a token.
   * @param {string} typed a code with or without spaces, or a token
   */
  async enter(typed) {
    const code = parseCode(typed);
    if (code === null) return this.#useToken(typed);
    const { token, problem, isWrong } = await this.#join(code);
    if (token !== undefined) return this.#useToken(token);
    // A token may consist of eight digits, too.
    if (isWrong && (await this.#ask(code)) === 'no_websocket') return this.#useToken(code);
    return this.#ui.showTokenProblem(problem);
  }

  /** Keeps a token in the page's address, as if the page had been opened with it, and connects with it. */
  #useToken(token) {
    history.replaceState(null, '', withToken(location.hash, token));
    this.#connection.reconnect();
  }
}
