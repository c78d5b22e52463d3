// The keys of the pads: which pad a key plays, by its position in the bank.
//
// Pure. Digits first, then the letters row by row as they lie on the keyboard.

const KEYS = [...'1234567890qwertyuiopasdfghjklzxcvbnm'];

/** The key of the pad at a position, from 0; undefined if there is none. */
export function keyAt(position) {
  return KEYS[position];
}

/**
 * The position of the pad that a key event plays; -1 if it plays none.
 *
 * The character decides, so that the label on the pad is the one on the key; where a key types no Latin
 * character, its place on the keyboard does.
 *
 * @param {{key: string, code: string, ctrlKey?: boolean, altKey?: boolean, metaKey?: boolean}} event
 */
export function positionOfKey({ key, code, ctrlKey, altKey, metaKey }) {
  if (ctrlKey || altKey || metaKey) return -1;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(code);
  if (digit) return KEYS.indexOf(digit[1]);
  if (/^[a-z]$/i.test(key)) return KEYS.indexOf(key.toLowerCase());
  const letter = /^Key([A-Z])$/.exec(code);
  return letter ? KEYS.indexOf(letter[1].toLowerCase()) : -1;
}
