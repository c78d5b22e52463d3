// Keys that leave fields, so that the keys play again; and Escape, which leaves what is open before it stops
// every sound.

import { takesText } from './dom.js';

/**
 * @param {object} on
 * @param {() => void} on.leave gives the focus back to the instrument
 * @param {() => boolean} on.close closes what covers the page; false if nothing does
 * @param {() => void} on.stop
 */
export function listenToFields({ leave, close, stop }) {
  let isByPointer = false;
  document.addEventListener('pointerdown', () => (isByPointer = true), { capture: true });
  document.addEventListener('keydown', () => (isByPointer = false), { capture: true });
  // A choice made by pointer leaves the list.
  document.addEventListener('change', ({ target }) => {
    if (target.tagName === 'SELECT' && isByPointer) leave();
  });
  document.addEventListener('keydown', (event) => {
    const { key, repeat, target } = event;
    if (key === 'Enter' && takesText(target) && !target.closest('form')) target.blur();
    if (key !== 'Escape' || repeat) return;
    // In a field, Escape leaves the field: nobody silences a room by leaving a search.
    if (takesText(target)) leaveField(event);
    else if (!close()) stop();
  });
}

/** Leaves a field; a search is emptied, so that it hides nothing. */
function leaveField(event) {
  const { target } = event;
  if (target.type === 'search' && target.value !== '') {
    // The browser would empty it as well, and tell nobody.
    event.preventDefault();
    target.value = '';
    target.dispatchEvent(new Event('input', { bubbles: true }));
  }
  target.blur();
}
