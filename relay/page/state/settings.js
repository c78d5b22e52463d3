// What this browser remembers of this page: which machine it is, its name, volume, extra latency, chosen
// sound, view and theme, whether it keeps the screen on, and how often each sound was triggered.
//
// Storage may be disabled, full, or hold foreign data. The defaults are used then; a setting is never
// worth an error.

import { validName } from '../protocol/names.js';

const KEY = 'downbeat';

/** Maximum extra latency in either direction, in milliseconds. */
const MAX_EXTRA_LATENCY_MILLIS = 500;

/** The views of the page; the first is the default. */
export const VIEWS = ['play', 'bang', 'sounds', 'room'];

/** The themes; `auto` follows the system. */
const THEMES = ['auto', 'dark', 'light', 'contrast'];

/**
 * @typedef {{machine: string, name: string, volume: number, isMuted: boolean, extraLatencyMillis: number,
 *   sound: string | null, view: string, theme: string, keepsAwake: boolean, uses: [string, number][]}} Settings
 */

/** The identity of a machine: 32 hexadecimal digits. */
function newMachine(random) {
  const digit = () => Math.floor(random() * 16).toString(16);
  return Array.from({ length: 32 }, digit).join('');
}

/** Random numbers from 0 to below 1 that nobody can guess: the identity of a machine is a secret. */
function secureRandom() {
  return crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32;
}

/** A name that tells two phones apart: `page-` and four hexadecimal digits. */
function defaultName(random) {
  return `page-${Math.floor(random() * 0x10000).toString(16).padStart(4, '0')}`;
}

function isUse(entry) {
  return Array.isArray(entry) && typeof entry[0] === 'string' && Number.isSafeInteger(entry[1]);
}

/** `value` within its bounds, or `fallback` if it is not a number. */
function clamped(value, min, max, fallback) {
  return Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : fallback;
}

/**
 * @param {Storage | undefined} storage
 * @param {() => number} random
 * @returns {Settings}
 */
export function loadSettings(storage, random = secureRandom) {
  let stored = {};
  try {
    stored = JSON.parse(storage.getItem(KEY)) ?? {};
  } catch {
    // Disabled or unreadable: the same as empty.
  }
  const max = MAX_EXTRA_LATENCY_MILLIS;
  const isMachine = /^[0-9a-f]{32}$/.test(stored.machine);
  return {
    machine: isMachine ? stored.machine : newMachine(random),
    name: (typeof stored.name === 'string' && validName(stored.name)) || defaultName(random),
    volume: clamped(stored.volume, 0, 1, 1),
    isMuted: stored.isMuted === true,
    extraLatencyMillis: clamped(stored.extraLatencyMillis, -max, max, 0),
    sound: typeof stored.sound === 'string' ? validName(stored.sound) : null,
    view: VIEWS.includes(stored.view) ? stored.view : VIEWS[0],
    theme: THEMES.includes(stored.theme) ? stored.theme : THEMES[0],
    keepsAwake: stored.keepsAwake !== false,
    uses: Array.isArray(stored.uses) ? stored.uses.filter(isUse) : [],
  };
}

/** The settings of this page, written to the storage at each change. */
export class SettingsStore {
  #storage;
  #settings;

  /** @param {Storage | undefined} storage */
  constructor(storage) {
    this.#storage = storage;
    this.#settings = loadSettings(storage);
    // The machine must stay the same at the next visit.
    saveSettings(storage, this.#settings);
  }

  /** @returns {Settings} */
  get current() {
    return this.#settings;
  }

  /** @param {Partial<Settings>} changed */
  update(changed) {
    this.#settings = { ...this.#settings, ...changed };
    saveSettings(this.#storage, this.#settings);
  }
}

/** @param {Storage | undefined} storage @param {Settings} settings */
export function saveSettings(storage, settings) {
  try {
    storage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Disabled or full: the settings last as long as the page.
  }
}

/** The browser's storage; undefined where access to it is denied. */
export function browserStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
