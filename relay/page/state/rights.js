// What this client may do, and why not, in words. The relay decides; a client shows what is possible.
//
// Pure.

/** What a client may ask for: to play (bangs, stops, open variables), or to run the room. */
export const PLAY = 'play';
export const CONDUCT = 'conduct';

export const RIGHTS_TEXTS = { listener: 'Listener', player: 'Player', conductor: 'Conductor' };

/** @typedef {{title: string, text: string}} Denial in a word, and in a sentence */

const LISTENS = {
  title: 'Listener',
  text: 'This machine listens: it sounds with the others, and plays nothing itself.',
};
const LOCKED = { title: 'Locked', text: 'The room is locked: only conductors play.' };
const CONDUCTORS_ONLY = { title: 'Conductors', text: 'Only conductors can change this.' };

/**
 * Why a client may not do something; null if it may.
 * @param {'play' | 'conduct'} deed
 * @param {{rights: string, isLocked: boolean}} standing
 * @returns {Denial | null}
 */
export function denialOf(deed, { rights, isLocked }) {
  if (rights === 'conductor') return null;
  if (deed === CONDUCT) return CONDUCTORS_ONLY;
  if (rights === 'listener') return LISTENS;
  return isLocked ? LOCKED : null;
}

/** The same as a sentence. @returns {string | null} */
export function whyNot(deed, standing) {
  return denialOf(deed, standing)?.text ?? null;
}

/** What is asked for by setting a variable. */
export function deedOf({ open }) {
  return open === true ? PLAY : CONDUCT;
}
