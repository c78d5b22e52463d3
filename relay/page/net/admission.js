// The token in the page's address, and the reason why the relay keeps this page out.
//
// A browser does not tell a page why a WebSocket failed to open, so the page asks by HTTP: the relay
// answers `POST access` with the status that it gave the upgrade.

/** How long the relay may take to say why, in ms. */
const ANSWER_MILLIS = 4000;

/**
 * @typedef {'no_token' | 'wrong_token' | 'origin' | 'name' | 'full' | 'no_socket' | 'not_a_relay' |
 *   'silent'} Reason
 */

const REASONS = {
  no_token: 'This relay asks for a token.',
  wrong_token: 'The relay does not take this token.',
  name: 'The relay does not answer to the name in this page’s address. Open its numeric address instead.',
  full: 'The relay has no place just now. Trying again until it has.',
  no_socket: 'The relay answers, but its WebSocket does not open. A proxy in between has to let it pass.',
  not_a_relay: 'What answers at this address is not a relay.',
  silent: 'The relay does not answer. Trying again until it does.',
};

/** `reason` for the one who reads the page at `origin`. @param {Reason} reason */
export function reasonInWords(reason, origin) {
  if (reason !== 'origin') return REASONS[reason];
  return `The relay does not let in pages of ${origin}. Start it with --allow-origin ${origin}.`;
}

/** Whether a token would help. @param {Reason} reason */
export function wantsToken(reason) {
  return reason === 'no_token' || reason === 'wrong_token';
}

/** Whether only a person can change it, at this end or the relay's. @param {Reason} reason */
export function isRefusal(reason) {
  return wantsToken(reason) || reason === 'origin' || reason === 'name';
}

/** The token in `fragment` (`#token=...`), which a browser sends to nobody; null without one. */
export function tokenIn(fragment) {
  const token = new URLSearchParams(fragment.replace(/^#/, '')).get('token');
  return isToken(token) ? token : null;
}

/** The token that a person typed: alone, or in an address as the relay prints it; null if it is none. */
export function tokenTyped(text) {
  const typed = text.trim();
  if (isToken(typed)) return typed;
  const at = typed.indexOf('#');
  return at < 0 ? null : tokenIn(typed.slice(at));
}

/** `fragment` with `token` in it, and all else as it was. */
export function withToken(fragment, token) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  fields.set('token', token);
  return `#${fields}`;
}

function isToken(text) {
  return /^[\w.~-]{1,128}$/.test(text ?? '');
}

/**
 * Asks the relay why it keeps this page out.
 *
 * @param {string | null} token
 * @param {typeof fetch} fetch
 * @returns {Promise<Reason>}
 */
export async function whyKeptOut(token, fetch = (...given) => globalThis.fetch(...given)) {
  try {
    const { status } = await fetch('access', {
      method: 'POST',
      cache: 'no-store',
      headers: token === null ? {} : { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout?.(ANSWER_MILLIS),
    });
    if (status === 401) return token === null ? 'no_token' : 'wrong_token';
    if (status === 502 || status === 504) return 'silent';
    const known = { 200: 'no_socket', 403: 'origin', 421: 'name', 429: 'full', 503: 'full' };
    return known[status] ?? 'not_a_relay';
  } catch {
    return 'silent';
  }
}
