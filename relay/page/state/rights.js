// What this client may do, and why not, in words. The relay decides; a client shows what is possible.
//
// Pure.

/** What a client may ask for: to play (bangs, stops, open variables), or to run the room. */
export const PLAY = 'play';
export const CONDUCT = 'conduct';

export const RIGHTS_TEXTS = { listener: 'Listener', player: 'Player', conductor: 'Conductor' };

const LISTENS = 'This machine listens: it sounds with the others, and plays nothing itself.';
const LOCKED = 'The room is locked: only conductors play.';
const CONDUCTORS_ONLY = 'Only conductors can change this.';

/**
 * Why a client may not do something; null if it may.
 * @param {'play' | 'conduct'} deed
 * @param {{rights: string, isLocked: boolean}} standing
 */
export function whyNot(deed, { rights, isLocked }) {
  if (rights === 'conductor') return null;
  if (deed === CONDUCT) return CONDUCTORS_ONLY;
  if (rights === 'listener') return LISTENS;
  return isLocked ? LOCKED : null;
}

/** What is asked for by setting a variable. */
export function deedOf({ open }) {
  return open === true ? PLAY : CONDUCT;
}
