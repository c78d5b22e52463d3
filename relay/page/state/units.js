// Durations as text.

/** `micros` in µs below a millisecond, else in ms. */
export function formatMicros(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  const millis = micros / 1000;
  return `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms`;
}
