// The form that asks for the relay's token, in place of the bang button.

import { parseToken } from '../protocol/token.js';
import { element, setText } from './dom.js';

const INVALID = 'A token has 1 to 128 letters, digits, “-”, “.”, “_” or “~”.';

export class TokenForm {
  /** @param {(token: string) => void} onToken called in the user gesture */
  constructor(onToken) {
    const field = element('token');
    element('token-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const token = parseToken(field.value);
      if (token === null) {
        this.#showReason(INVALID);
        field.focus();
        return;
      }
      field.value = token;
      this.#showReason('Asking the relay…', 'wait');
      onToken(token);
    });
    element('token-shown').addEventListener('change', ({ target }) => {
      field.type = target.checked ? 'text' : 'password';
    });
  }

  get isOpen() {
    return !element('token-form').hidden;
  }

  /** Asks for a token, for `reason`. */
  open(reason) {
    const opens = !this.isOpen;
    element('token-form').hidden = false;
    this.#showReason(reason);
    if (opens) element('token').focus({ preventScroll: true });
  }

  close() {
    element('token-form').hidden = true;
    element('token').value = '';
  }

  #showReason(text, level = 'bad') {
    const reason = element('token-reason');
    setText(reason, text);
    reason.dataset.level = level;
  }
}
