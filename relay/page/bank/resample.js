// Sample rate conversion by windowed sinc (Kaiser window), before playback.

/** Zero crossings of the sinc to each side. */
const CROSSINGS = 48;

/** Cutoff of the low-pass, as a share of the lower Nyquist frequency, and beta of the Kaiser window: flat
 * up to 0.88 of the band, and 100 dB of attenuation where it would alias. */
const CUTOFF = 0.95;
const BETA = 10;

/** Maximum number of tabulated phases; beyond, the kernel is interpolated. */
const MAX_PHASES = 1024;

/**
 * @param {Float32Array} values one channel
 * @param {number} from its rate in Hz, a whole number
 * @param {number} to the target rate in Hz
 * @returns {Float32Array}
 */
export function resample(values, from, to) {
  if (from === to) return values;
  const divisor = greatestDivisor(from, to);
  const [step, phases] = [from / divisor, to / divisor];
  const kernel = tabulate(Math.min(phases, MAX_PHASES), Math.min(1, to / from));
  const out = new Float32Array(Math.max(1, Math.round((values.length * to) / from)));
  for (let frame = 0; frame < out.length; frame += 1) {
    // Integers: a rounding error would grow with the length of the sound.
    const at = frame * step;
    const position = Math.floor(at / phases);
    const phase = ((at % phases) / phases) * kernel.phases;
    const row = Math.floor(phase);
    const beyond = phase - row;
    let value = convolve(values, position, kernel, row);
    if (beyond > 0) value += beyond * (convolve(values, position, kernel, row + 1) - value);
    out[frame] = value;
  }
  return out;
}

/** The kernel applied to the frames around `position`; silence beyond the ends. */
function convolve(values, position, { rows, reach, width }, row) {
  const first = position - reach + 1;
  const start = Math.max(0, -first);
  const end = Math.min(width, values.length - first);
  const base = row * width;
  let sum = 0;
  for (let tap = start; tap < end; tap += 1) sum += rows[base + tap] * values[first + tap];
  return sum;
}

/** A row of coefficients for each of `phases` positions between two frames, plus one. */
function tabulate(phases, scale) {
  const reach = Math.ceil(CROSSINGS / scale) + 1;
  const width = 2 * reach;
  const rows = new Float64Array((phases + 1) * width);
  for (let phase = 0; phase <= phases; phase += 1) {
    for (let tap = 0; tap < width; tap += 1) {
      const distance = tap - reach + 1 - phase / phases;
      rows[phase * width + tap] = scale * windowedSinc(distance * scale);
    }
  }
  return { phases, reach, width, rows };
}

function windowedSinc(x) {
  const share = x / CROSSINGS;
  if (Math.abs(share) >= 1) return 0;
  const angle = Math.PI * CUTOFF * x;
  const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
  return (CUTOFF * sinc * bessel(BETA * Math.sqrt(1 - share * share))) / bessel(BETA);
}

/** The modified Bessel function of the first kind, of order 0. */
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestDivisor(a, b) {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
