// The bang: what presses it, and how it flashes when it is heard.

import { FlashLimit } from './flash-limit.js';

/** How long the flash stands before it fades, in ms: long enough to be seen on any screen. */
const FLASH_MILLIS = 70;

const element = (id) => document.getElementById(id);

export class Bang {
  #heard = 0;
  #limit = new FlashLimit();
  #timer = null;

  /**
   * A bang is the moment the finger lands or the key goes down, not when it is lifted.
   * @param {() => void} onBang
   */
  constructor(onBang) {
    const bang = element('bang');
    const press = () => {
      bang.classList.add('pressed');
      onBang();
    };
    const release = () => bang.classList.remove('pressed');
    bang.addEventListener('pointerdown', (event) => {
      if (event.button === 0) press();
    });
    for (const end of ['pointerup', 'pointercancel', 'pointerleave']) {
      bang.addEventListener(end, release);
    }
    bang.addEventListener('contextmenu', (event) => event.preventDefault());

    // Keys that bang, and are held: their release must not click as well.
    const held = new Set();
    document.addEventListener('keydown', (event) => {
      if (!bangs(event)) return;
      event.preventDefault();
      if (event.repeat || held.has(event.code)) return;
      held.add(event.code);
      press();
    });
    document.addEventListener('keyup', (event) => {
      if (!held.delete(event.code)) return;
      event.preventDefault();
      release();
    });
    window.addEventListener('blur', () => {
      held.clear();
      release();
    });
    // Neither finger nor key: a screen reader's own press.
    bang.addEventListener('click', (event) => {
      if (event.detail === 0) onBang();
    });

    // Space bangs again after the pointer has pressed another button, which keeps it for itself only
    // while it was reached by the keyboard.
    document.addEventListener('click', ({ target, detail }) => {
      const button = target.closest?.('#page button');
      if (button && detail > 0 && !button.closest('form')) this.focus();
    });
  }

  focus() {
    element('bang').focus({ preventScroll: true, focusVisible: false });
  }

  /** Flashes once; to be called when the trigger is heard. */
  flash() {
    this.#heard += 1;
    const { dataset, classList } = element('bang');
    dataset.heard = String(this.#heard);
    // A glow that is too weak to be a flash is not added to one.
    const isFlash = this.#limit.allows(performance.now());
    if (!isFlash && classList.contains('flash')) return;
    classList.add(isFlash ? 'flash' : 'glow');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => classList.remove('flash', 'glow'), FLASH_MILLIS);
  }
}

/** Whether a key is a bang: Space and Enter, unless what has the focus needs them itself. */
function bangs(event) {
  if (event.code !== 'Space' && event.key !== 'Enter') return false;
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  if (element('page').inert) return false;
  const focused = event.target.closest?.('button, input');
  if (!focused || focused.id === 'bang') return true;
  return focused.type === 'radio' || focused.type === 'range';
}
