// The part "This machine": name, extra latency, the screen, what it may do, measured facts, and the sync status.

import { PLAY, RIGHTS_TEXTS, whyNot } from '../state/rights.js';
import { formatMicros } from '../state/units.js';
import { element, setText } from './dom.js';

/** @param {(action: import('../session/actions.js').Action) => void} perform */
export function listenToMachine(perform) {
  const name = element('name');
  name.addEventListener('change', () => perform({ type: 'rename', name: name.value }));

  const awake = element('keep-awake');
  awake.addEventListener('change', () => perform({ type: 'keep-awake', isWanted: awake.checked }));

  const field = element('extra-latency');
  const set = (input) => {
    const max = Number(field.max);
    // Tenths of a millisecond are audible between two machines side by side, and can be measured.
    const millis = Math.min(max, Math.max(-max, Math.round(input * 10) / 10 || 0));
    showExtraLatency(millis);
    perform({ type: 'extra-latency', millis });
  };
  field.addEventListener('change', () => set(Number(field.value)));
  element('extra-latency-less').addEventListener('click', () => set(Number(field.value) - 1));
  element('extra-latency-more').addEventListener('click', () => set(Number(field.value) + 1));
}

export function showName(name) {
  element('name').value = name;
}

/** Whether the screen can be kept on, and is. */
export function showKeepsAwake(isOffered, keepsAwake) {
  element('keep-awake-row').hidden = !isOffered;
  element('keep-awake').checked = keepsAwake;
}

/** What this machine may do. @param {{rights: string, isLocked: boolean}} room */
export function showOwnRights(room) {
  setText(element('own-rights'), RIGHTS_TEXTS[room.rights]);
  const reason = whyNot(PLAY, room);
  element('own-standing').hidden = reason === null;
  setText(element('own-standing'), reason ?? '');
}

export function showExtraLatency(millis) {
  element('extra-latency').value = String(millis);
}

/**
 * @param {object} facts
 * @param {number | null} facts.errorMicros
 * @param {boolean} facts.isLoose whether the error is too large
 * @param {number | null} facts.latencyMicros
 * @param {number} facts.triggers
 * @param {number} facts.late number of late triggers
 * @param {number | null} facts.xruns null where the browser does not report them
 */
export function showFacts({ errorMicros, isLoose, latencyMicros, triggers, late, xruns }) {
  const show = (fact, text, warns) => {
    element(fact).textContent = text;
    element(fact).classList.toggle('warn', warns);
  };
  const clock =
    errorMicros === null ? 'not known yet' : `within ±${formatMicros(errorMicros)} of the relay`;
  show('fact-clock', clock, isLoose);
  show('fact-output', latencyMicros === null ? 'no output' : formatMicros(latencyMicros), false);
  show('fact-late', triggers === 0 ? 'none yet' : `${late} of ${triggers}`, late > 0);
  show('fact-xruns', xruns === null ? 'not reported' : xruns === 0 ? 'none' : String(xruns), xruns > 0);
}

/** Shows why this machine may sound apart from the others; `null` if it does not. */
export function showSyncStatus(text) {
  const status = element('sync-status');
  status.hidden = text === null;
  setText(status, text ?? '');
}
