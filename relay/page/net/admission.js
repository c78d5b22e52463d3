// Why the relay rejects this page's connection.
//
// A browser does not tell a page why a WebSocket failed to open. So the page asks by HTTP: the relay
// answers `POST access` with the status that it gave the upgrade.

/** Timeout of the request, in ms. */
const TIMEOUT_MILLIS = 4000;

/**
 * @typedef {'no_token' | 'wrong_token' | 'origin' | 'host' | 'capacity' | 'no_websocket' |
 *   'not_a_relay' | 'no_answer'} Reason
 */

const TEXTS = {
  no_token: 'This relay requires a token or its room code.',
  wrong_token: 'This relay does not accept the token.',
  host: 'The relay does not accept the host name in this page’s address. Use its numeric address instead.',
  capacity: 'The relay is full, or limits connections from this network. Retrying.',
  no_websocket: 'The relay answers, but its WebSocket does not open. A proxy in between may block it.',
  not_a_relay: 'The server at this address is not a relay.',
  no_answer: 'The relay does not answer. Retrying.',
};

/** `reason` as a sentence for the user of the page at `origin`. @param {Reason} reason */
export function describeReason(reason, origin) {
  if (reason !== 'origin') return TEXTS[reason];
  return `The relay rejects pages from ${origin}. Start it with --allow-origin ${origin}.`;
}

/** Whether another token may help. @param {Reason} reason */
export function wantsToken(reason) {
  return reason === 'no_token' || reason === 'wrong_token';
}

/** Whether only a person can change it, at this end or at the relay's. @param {Reason} reason */
export function isPermanent(reason) {
  return wantsToken(reason) || reason === 'origin' || reason === 'host';
}

/**
 * Asks the relay why it rejects this page.
 *
 * @param {string | null} token
 * @param {typeof fetch} fetch
 * @returns {Promise<Reason>}
 */
export async function askRejectionReason(token, fetch = (...args) => globalThis.fetch(...args)) {
  try {
    const { status } = await fetch('access', {
      method: 'POST',
      cache: 'no-store',
      headers: token === null ? {} : { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout?.(TIMEOUT_MILLIS),
    });
    if (status === 401) return token === null ? 'no_token' : 'wrong_token';
    if (status === 502 || status === 504) return 'no_answer';
    const known = { 200: 'no_websocket', 403: 'origin', 421: 'host', 429: 'capacity', 503: 'capacity' };
    return known[status] ?? 'not_a_relay';
  } catch {
    return 'no_answer';
  }
}
