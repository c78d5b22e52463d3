// Names of clients, sounds and targets: normalized, so that names that look alike are equal.
//
// The relay and the desktop client apply the same rule; tests/vectors/names.json holds all of them to it.

/** Maximum length of a name, in characters. */
const MAX_NAME_CHARS = 64;

/** Characters that are invisible or change how their neighbours are displayed. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** A name as it is compared and displayed, whatever its length: hidden characters removed, NFC, trimmed. */
export function normalizeName(name) {
  return name.replace(HIDDEN, '').normalize('NFC').trim();
}

/** The normalized name, or null if it is empty or too long. */
export function validName(input) {
  const name = normalizeName(input);
  const chars = [...name].length;
  return chars >= 1 && chars <= MAX_NAME_CHARS ? name : null;
}
