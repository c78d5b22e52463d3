// The form that asks for a room code or a token, in place of the bang button.

import { parseCode } from '../protocol/room-code.js';
import { parseToken } from '../protocol/token.js';
import { element, setText } from './dom.js';

const INVALID =
  'That is neither a room code, which has eight digits, nor a token: letters, digits, “-”, “.”, “_”, “~”.';

export class TokenForm {
  /** Why the relay asks. */
  #reason = '';
  /** Whether the relay is asked about what was typed. */
  #isWaiting = false;

  /** @param {(text: string) => void} onEnter called in the user gesture, with a code or a token */
  constructor(onEnter) {
    const field = element('token');
    element('token-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const entered = parseCode(field.value) ?? parseToken(field.value);
      if (entered === null) {
        this.#show(INVALID);
        field.focus();
        return;
      }
      field.value = entered;
      this.#isWaiting = true;
      this.#show('Asking the relay…', 'wait');
      onEnter(entered);
    });
    element('token-hidden').addEventListener('change', ({ target }) => {
      field.type = target.checked ? 'password' : 'text';
    });
  }

  get isOpen() {
    return !element('token-form').hidden;
  }

  /** Asks, for a reason. The page tries again every few seconds: the same reason covers nothing else. */
  open(reason) {
    const opens = !this.isOpen;
    element('token-form').hidden = false;
    if (opens || this.#isWaiting || reason !== this.#reason) this.#show(reason);
    this.#reason = reason;
    this.#isWaiting = false;
    if (opens) element('token').focus({ preventScroll: true });
  }

  /** What was typed does not help. */
  showProblem(text) {
    this.#isWaiting = false;
    this.#show(text);
    element('token').select();
  }

  close() {
    element('token-form').hidden = true;
    element('token').value = '';
  }

  #show(text, level = 'bad') {
    const reason = element('token-reason');
    setText(reason, text);
    reason.dataset.level = level;
  }
}
