// What this browser remembers of this page: the name, the volume, the trim, the sound chosen, and how
// often each was banged.
//
// Storage may be forbidden, full, or hold what somebody else wrote. Then the defaults are used and
// nothing else happens: no setting is worth an error.

import { cleanName } from '../protocol/messages.js';

const KEY = 'downbeat';

/** Most that a trim may move a sound, either way, in milliseconds. */
export const MOST_TRIM_MILLIS = 500;

/**
 * @typedef {{name: string, volume: number, trimMillis: number, sound: string | null,
 *   uses: [string, number][]}} Settings
 */

/** A name that tells two phones apart: `page-` and four hexadecimal digits. */
function defaultName(random) {
  return `page-${Math.floor(random() * 0x10000).toString(16).padStart(4, '0')}`;
}

function isUse(given) {
  return Array.isArray(given) && typeof given[0] === 'string' && Number.isSafeInteger(given[1]);
}

/** `given` within its bounds, or `fallback` if it is no number. */
function bounded(given, least, most, fallback) {
  return Number.isFinite(given) ? Math.min(most, Math.max(least, given)) : fallback;
}

/**
 * @param {Storage | undefined} storage
 * @param {() => number} random
 * @returns {Settings}
 */
export function loadSettings(storage, random = Math.random) {
  let kept = {};
  try {
    kept = JSON.parse(storage.getItem(KEY)) ?? {};
  } catch {
    // Forbidden or unreadable: as if nothing had been kept.
  }
  return {
    name: (typeof kept.name === 'string' && cleanName(kept.name)) || defaultName(random),
    volume: bounded(kept.volume, 0, 1, 1),
    trimMillis: bounded(kept.trimMillis, -MOST_TRIM_MILLIS, MOST_TRIM_MILLIS, 0),
    sound: typeof kept.sound === 'string' ? cleanName(kept.sound) : null,
    uses: Array.isArray(kept.uses) ? kept.uses.filter(isUse) : [],
  };
}

/** @param {Storage | undefined} storage @param {Settings} settings */
export function saveSettings(storage, settings) {
  try {
    storage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Forbidden or full: the settings last as long as the page.
  }
}

/** The browser's storage; undefined where even asking for it is forbidden. */
export function browserStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
