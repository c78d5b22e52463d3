// The relay's access token: where it stands in an address, and how a browser offers it in the handshake.

/** The subprotocol that the page speaks. */
const SUBPROTOCOL = 'downbeat.v1';

/** The token in a URL fragment (`#token=...`), which browsers send to no server; null without one. */
export function tokenIn(fragment) {
  const token = new URLSearchParams(fragment.replace(/^#/, '')).get('token');
  return isToken(token) ? token : null;
}

/** The token in typed text: alone, or in an address as the relay prints it; null if there is none. */
export function parseToken(text) {
  const typed = text.trim();
  if (isToken(typed)) return typed;
  const at = typed.indexOf('#');
  return at < 0 ? null : tokenIn(typed.slice(at));
}

/** `fragment` with its token set to `token`, and its other fields unchanged. */
export function withToken(fragment, token) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  fields.set('token', token);
  return `#${fields}`;
}

/**
 * The entries of `Sec-WebSocket-Protocol` to offer: the subprotocol, and the token of `fragment` if
 * there is one. A browser lets a page set no other header of the handshake.
 */
export function offeredSubprotocols(fragment) {
  const token = tokenIn(fragment);
  return token === null ? [SUBPROTOCOL] : [SUBPROTOCOL, `downbeat.token.${token}`];
}

function isToken(text) {
  return /^[\w.~-]{1,128}$/.test(text ?? '');
}
