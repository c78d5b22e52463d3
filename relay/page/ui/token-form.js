// The card over the dial that asks for the relay's token. Shows what it is told, decides nothing.

import { tokenTyped } from '../net/admission.js';

const NO_TOKEN = 'A token has 1 to 128 letters, digits, “-”, “.”, “_” or “~”.';

const element = (id) => document.getElementById(id);

export class Gate {
  /** @param {(token: string) => void} onToken called in the person's gesture */
  constructor(onToken) {
    const field = element('token');
    element('gate').addEventListener('submit', (event) => {
      event.preventDefault();
      const token = tokenTyped(field.value);
      if (token === null) {
        this.#complain(NO_TOKEN);
        field.focus();
        return;
      }
      field.value = token;
      this.#complain('Asking the relay…', 'wait');
      onToken(token);
    });
    element('token-shown').addEventListener('change', ({ target }) => {
      field.type = target.checked ? 'text' : 'password';
    });
  }

  get isOpen() {
    return !element('gate').hidden;
  }

  /** Asks for a token, because of `why`. */
  open(why) {
    const opens = !this.isOpen;
    element('gate').hidden = false;
    this.#complain(why);
    if (opens) element('token').focus({ preventScroll: true });
  }

  close() {
    element('gate').hidden = true;
    element('token').value = '';
  }

  #complain(words, level = 'bad') {
    const why = element('gate-why');
    // Not written anew with each try: a screen reader would read it out again.
    if (why.textContent !== words) why.textContent = words;
    why.dataset.level = level;
  }
}
