// The bang button: presses by pointer, key or screen reader, and the flash when a trigger is heard.

import { element, setText, takesText } from './dom.js';

/** Duration of a flash before it fades, in ms: several frames on any screen. */
const FLASH_MILLIS = 70;

/** What stands in place of the sound on a button that does nothing. */
const DENIED_TEXTS = { Locked: 'only conductors play', Listener: 'sounds along' };

export class BangButton {
  #flashes = 0;
  #timer = null;
  #sound = '';
  /** @type {import('../state/rights.js').Denial | null} */
  #denial = null;

  /**
   * Bangs when the pointer or key goes down, not when it is released.
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

    // Keys held down: their release must not click the button as well.
    const held = new Set();
    document.addEventListener('keydown', (event) => {
      if (!isBangKey(event)) return;
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
    // A click without pointer or key comes from a screen reader.
    bang.addEventListener('click', (event) => {
      if (event.detail === 0) onBang();
    });

    // After a pointer has clicked another button, Space bangs again. A button that was reached by the
    // keyboard keeps the focus.
    document.addEventListener('click', ({ target, detail }) => {
      const button = target.closest?.('#page button');
      // A machine on the plan is moved by keys.
      if (button && detail > 0 && !button.closest('form, .token')) this.focus();
    });
  }

  /** @param {string} name of the sound that it plays */
  showSound(name) {
    this.#sound = name;
    this.#draw();
  }

  /** Why it does nothing, in words; null if it bangs. */
  deny(denial) {
    this.#denial = denial;
    this.#draw();
  }

  #draw() {
    const [denial, sound] = [this.#denial, this.#sound];
    const bang = element('bang');
    // It can be pressed in any case, and then says why.
    bang.setAttribute('aria-disabled', String(denial !== null));
    bang.setAttribute('aria-label', denial?.text ?? (sound ? `Bang: ${sound}` : 'Bang'));
    setText(element('bang-text'), denial?.title ?? 'BANG');
    setText(element('bang-sound'), denial === null ? sound : DENIED_TEXTS[denial.title]);
  }

  focus() {
    element('bang').focus({ preventScroll: true, focusVisible: false });
  }

  /** Flashes once, at the moment a trigger is heard. @param {boolean} isFlash at full contrast */
  flash(isFlash) {
    this.#flashes += 1;
    const { dataset, classList } = element('bang');
    dataset.flashes = String(this.#flashes);
    // A low-contrast glow does not extend a flash.
    if (!isFlash && classList.contains('flash')) return;
    classList.add(isFlash ? 'flash' : 'glow');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => classList.remove('flash', 'glow'), FLASH_MILLIS);
  }
}

/** Whether a key event is a bang: Space or Enter, unless the focused control uses the key itself. */
function isBangKey(event) {
  if (event.code !== 'Space' && event.key !== 'Enter') return false;
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  if (element('page').inert) return false;
  if (takesText(event.target)) return false;
  const focused = event.target.closest?.('button, input');
  if (!focused || focused.id === 'bang') return true;
  return focused.type === 'radio' || focused.type === 'range';
}
