// Search by typing: which names match what was typed. Pure.

/** Folds case and removes accents. */
function fold(name) {
  return name.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

/** A function that tells whether a name contains every word of `query`. */
export function matcher(query) {
  const words = fold(query).split(/\s+/).filter((word) => word !== '');
  return (name) => words.every((word) => fold(name).includes(word));
}
