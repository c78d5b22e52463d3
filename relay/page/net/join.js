// Exchanges a room code for the token of a player.

import { parseToken } from '../protocol/token.js';

/** Timeout of the request, in ms. */
const TIMEOUT_MILLIS = 4000;

const WRONG = 'That is not the code of this room. It has eight digits, and changes when the relay restarts.';
const TOO_MANY = 'Too many wrong codes were typed in this room. Wait a minute, then try again.';
const NO_ANSWER = 'The relay does not answer. Check the network, then try again.';

/**
 * @typedef {object} Joined
 * @property {string} [token]
 * @property {string} [problem] why there is none, in words
 * @property {boolean} [isWrong] whether the relay does not know the code
 */

/**
 * @param {string} code eight digits
 * @param {typeof fetch} fetch
 * @returns {Promise<Joined>}
 */
export async function joinByCode(code, fetch = (...args) => globalThis.fetch(...args)) {
  try {
    const response = await fetch('join', {
      method: 'POST',
      body: code,
      cache: 'no-store',
      signal: AbortSignal.timeout?.(TIMEOUT_MILLIS),
    });
    if (response.status === 429) return { problem: TOO_MANY };
    if (!response.ok) return { problem: WRONG, isWrong: true };
    const token = parseToken(await response.text());
    return token === null ? { problem: NO_ANSWER } : { token };
  } catch {
    return { problem: NO_ANSWER };
  }
}
