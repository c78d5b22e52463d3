// Durations as text.

/** `micros` in µs below a millisecond, else in ms. */
export function formatMicros(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  const millis = micros / 1000;
  return `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms`;
}

/** What is left of a sound: tenths of a second below ten, minutes from one on; ∞ without an end. */
export function formatSeconds(seconds) {
  if (seconds === Infinity) return '∞';
  const left = Math.max(0, seconds);
  if (left < 10) return `${(Math.ceil(left * 10) / 10).toFixed(1)} s`;
  const whole = Math.ceil(left);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
