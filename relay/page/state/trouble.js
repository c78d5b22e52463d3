// What is wrong with a machine, and what to do about it, in words.
//
// Pure: the time goes in, in ms.

import { isPlayer, recentOf } from './machines.js';
import { LOOSE_MICROS } from './sync-status.js';
import { formatMicros } from './units.js';
import { SILENT_DB } from './volume.js';

/** Late starts that count as many, of the recent ones: at least so many, and more than this part of all. */
const MANY_LATE = 3;
const LATE_SHARE = 0.1;
const MOST_LATE_SHARE = 0.5;

/** Recent dropouts that count as many. */
const MANY_XRUNS = 10;

/** Names that are listed; of more, only the number. */
const MAX_NAMES = 3;

/** How much a level weighs in the order of machines. */
const WEIGHTS = { bad: 1000, warn: 100, away: 10, info: 1 };

/**
 * @typedef {object} Trouble
 * @property {'bad' | 'warn' | 'away' | 'info'} level
 * @property {string} text what is wrong
 * @property {string} advice what to do
 *
 * @typedef {object} Standard What machines are compared with.
 * @property {number} bank the number of the bank
 * @property {number} sounds how many sounds it has
 * @property {number} maxLeadMicros the longest lead that the relay grants
 * @property {string} relay program and version of the relay
 */

/** The version in `program/version`; null without one. */
export function versionOf(client) {
  return /\/(\d+(?:\.\d+)*)/.exec(client ?? '')?.[1] ?? null;
}

/** Whether version `a` is older than `b`. */
export function isOlder(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  const at = right.findIndex((part, index) => part !== (left[index] ?? 0));
  return at >= 0 && (left[at] ?? 0) < right[at];
}

/**
 * What is wrong with a machine, the worst first.
 * @param {import('./machines.js').Machine} machine
 * @param {Standard} standard
 * @param {number} nowMillis
 * @returns {Trouble[]}
 */
export function troublesOf(machine, standard, nowMillis) {
  if (machine.isAway) {
    return [{ level: 'away', text: 'Not connected', advice: 'Switch it on, or forget it.' }];
  }
  const recent = recentOf(machine, nowMillis);
  const found = isPlayer(machine)
    ? [
        ...outputTroubles(machine),
        ...timeTroubles(machine, standard, recent),
        ...soundTroubles(machine, standard),
        ...levelTroubles(machine, recent),
      ]
    : [];
  found.push(...versionTroubles(machine, standard));
  return found.sort((a, b) => WEIGHTS[b.level] - WEIGHTS[a.level]);
}

/** How much the troubles of a machine weigh together. @param {Trouble[]} troubles */
export function weightOf(troubles) {
  return troubles.reduce((sum, { level }) => sum + WEIGHTS[level], 0);
}

/** Whether a machine needs someone. @param {Trouble[]} troubles */
export function needsHelp(troubles) {
  return troubles.some(({ level }) => level === 'bad' || level === 'warn');
}

/** @returns {Trouble[]} */
function outputTroubles({ kind, report }) {
  if (!report) return [{ level: 'info', text: 'Just joined', advice: 'Its first report follows soon.' }];
  if (report.latency_micros !== undefined) return [];
  return kind === 'page'
    ? [{ level: 'bad', text: 'No sound yet', advice: 'Tap the page there.' }]
    : [{ level: 'bad', text: 'No output', advice: 'Check its sound device, then restart its output.' }];
}

/** @returns {Trouble[]} */
function timeTroubles({ kind, report, straggler }, { maxLeadMicros }, { late, triggers }) {
  if (!report || report.latency_micros === undefined) return [];
  const { clock_error_micros: error, lead_micros: lead } = report;
  const found = [];
  const steady = kind === 'page' ? 'Bring it nearer to the access point' : 'Connect it by cable, not Wi-Fi';
  if (straggler) {
    const needs = lead > maxLeadMicros ? `it needs ${formatMicros(lead)} of lead` : 'it needs a longer lead';
    const advice = `${steady}, and avoid Bluetooth: ${needs}, and ${formatMicros(maxLeadMicros)} is the limit.`;
    found.push({ level: 'bad', text: 'Starts late', advice });
  }
  if (error === undefined) {
    found.push({ level: 'warn', text: 'Clock not known yet', advice: `Wait. If it stays so: ${steady}.` });
  } else if (error > LOOSE_MICROS) {
    const advice = `${steady}: its network or its output is unsteady.`;
    found.push({ level: 'warn', text: `Off by up to ${formatMicros(error)}`, advice });
  }
  if (!straggler && late >= MANY_LATE && late > triggers * LATE_SHARE) {
    const level = late > triggers * MOST_LATE_SHARE ? 'bad' : 'warn';
    const advice = `${steady}: its network is sometimes slower than the lead.`;
    found.push({ level, text: `${late} of ${triggers} bangs late in 5 min`, advice });
  }
  return found;
}

/** @returns {Trouble[]} */
function soundTroubles({ report }, { bank, sounds }) {
  if (report?.ready === undefined) return [];
  const { ready, missing = [] } = report;
  // The numbers begin anew with each start of the relay: another number is that of another bank.
  if ((report.bank ?? bank) !== bank) {
    return [{ level: 'warn', text: 'Loads the new sounds', advice: 'Wait. If it stays so, check its network.' }];
  }
  if (ready >= sounds) return [];
  const left = sounds - ready;
  const named = missing.length === left && left <= MAX_NAMES ? missing.join(', ') : `${left} sounds`;
  const advice = `Wait for ${named}. If it stays so, check its network.`;
  return [{ level: 'warn', text: `${ready} of ${sounds} sounds`, advice }];
}

/** @returns {Trouble[]} */
function levelTroubles({ report }, { xruns }) {
  const found = [];
  if (xruns >= MANY_XRUNS) {
    const advice = 'Close other programs there: it is too busy.';
    found.push({ level: 'warn', text: `${xruns} dropouts in 5 min`, advice });
  }
  if (report?.muted) found.push({ level: 'info', text: 'Muted', advice: 'Select it to unmute it.' });
  else if (report?.volume_db <= SILENT_DB) {
    found.push({ level: 'info', text: 'Volume at zero', advice: 'Select it to turn it up.' });
  }
  return found;
}

/** @returns {Trouble[]} */
function versionTroubles({ kind, client }, { relay }) {
  const [own, wanted] = [versionOf(client), versionOf(relay)];
  if (own === null || wanted === null || !isOlder(own, wanted)) return [];
  const advice = kind === 'page' ? 'Reload the page there.' : `Install version ${wanted} there.`;
  return [{ level: 'info', text: `Old version ${own}`, advice }];
}
