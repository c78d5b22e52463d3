// The room code: eight digits that people type instead of a token.
//
// Pure.

/** The code in typed text, whatever stands between its digits; null if it is none. */
export function parseCode(text) {
  const digits = text.replace(/[\s.·–-]/g, '');
  return /^\d{8}$/.test(digits) ? digits : null;
}

/** A code as people read it to each other. */
export function formatCode(code) {
  return `${code.slice(0, 4)} ${code.slice(4)}`;
}
