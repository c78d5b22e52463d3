// The fader of a number: how far it is pushed for a value, and the value of a position.
//
// Pure. Positions go from 0 to 1.

/** Digits of a value that was set by a fader. */
const DIGITS = 6;

/** The position of a value. @param {object} variable of the type `float` or `int` */
export function positionOf({ min, max, scale }, value) {
  const share =
    scale === 'logarithmic' ? Math.log(value / min) / Math.log(max / min) : (value - min) / (max - min);
  return Math.min(1, Math.max(0, share));
}

/** The value at a position, rounded as declared. */
export function valueAtPosition(variable, position) {
  const { min, max, scale } = variable;
  const share = Math.min(1, Math.max(0, position));
  const value = scale === 'logarithmic' ? min * (max / min) ** share : min + (max - min) * share;
  // No screen has more positions than these digits tell apart.
  return rounded(variable, Number(value.toPrecision(DIGITS)));
}

/** A value within the range and on a step. */
export function rounded({ type, min, max, step }, value) {
  const within = Math.min(max, Math.max(min, value));
  if (type === 'int') return Math.round(within);
  if (step === undefined) return within;
  return Math.min(max, min + Math.round((within - min) / step) * step);
}

/** How far one arrow key moves a value: a step, or a hundredth of the way. */
export function nudged(variable, value, steps) {
  const { type, step } = variable;
  if (type === 'int') return rounded(variable, value + steps);
  if (step !== undefined) return rounded(variable, value + steps * step);
  return valueAtPosition(variable, positionOf(variable, value) + steps / 100);
}

/** Digits after the point that tell two neighbouring values of the fader apart. */
function digitsOf({ type, min, max, step, scale }, value) {
  if (type === 'int') return 0;
  const fine = step ?? (scale === 'logarithmic' ? Math.abs(value) / 200 : (max - min) / 200);
  return Math.min(6, Math.max(0, Math.ceil(-Math.log10(fine) - 1e-9)));
}

/** A value without its unit. */
export function formatValue(variable, value) {
  if (!Number.isFinite(value)) return '–';
  const text = value.toFixed(digitsOf(variable, value));
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}
