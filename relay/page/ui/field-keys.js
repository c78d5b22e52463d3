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
  document.addEventListener('keydown', ({ key, repeat, target }) => {
    if (key === 'Enter' && takesText(target) && !target.closest('form')) target.blur();
    if (key !== 'Escape' || repeat) return;
    // In a field, Escape leaves the field: nobody silences a room by leaving a search.
    if (takesText(target)) target.blur();
    else if (!close()) stop();
  });
}
