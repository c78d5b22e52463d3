// The built-in tone: its waveforms, band-limited by the browser, and its envelope.
//
// Pure: describes what audio-output.js creates. Every waveform begins at zero and rises, so that machines
// that start together are in phase, whatever they run.

import { combine } from '../automation/line.js';

/** Peak of the waveform at a gain of 1. */
export const TONE_PEAK = 0.25;

const ATTACK_SECONDS = 0.002;
const RELEASE_SECONDS = 0.005;

/** Harmonics of a waveform. The browser leaves out those beyond half the sample rate. */
const HARMONICS = 2048;

/** Amplitude of the sine of a harmonic, counted from 1, for a peak of 1. */
const AMPLITUDES = {
  sine: (harmonic) => (harmonic === 1 ? 1 : 0),
  square: (harmonic) => (harmonic % 2 ? 4 / (Math.PI * harmonic) : 0),
  saw: (harmonic) => ((harmonic % 2 ? 1 : -1) * 2) / (Math.PI * harmonic),
  triangle: (harmonic) => {
    if (harmonic % 2 === 0) return 0;
    return ((harmonic % 4 === 1 ? 1 : -1) * 8) / (Math.PI * harmonic) ** 2;
  },
};

/**
 * The coefficients of a waveform, as `createPeriodicWave` takes them.
 * @param {string} shape
 * @param {number} phase where it begins, in cycles
 */
export function waveOf(shape, phase) {
  const length = shape === 'sine' ? 2 : HARMONICS + 1;
  const [real, imag] = [new Float32Array(length), new Float32Array(length)];
  const begins = phase - Math.floor(phase);
  for (let harmonic = 1; harmonic < length; harmonic += 1) {
    const amplitude = TONE_PEAK * AMPLITUDES[shape](harmonic);
    const angle = 2 * Math.PI * ((harmonic * begins) % 1);
    real[harmonic] = amplitude * Math.sin(angle);
    imag[harmonic] = amplitude * Math.cos(angle);
  }
  return { real, imag };
}

/** A line that climbs from 0 to 1 between two times, or falls. */
function ramp(from, to, isRising) {
  const [start, end] = isRising ? [0, 1] : [1, 0];
  return [
    { from: -Infinity, to: from, start, end: start },
    { from, to, start, end },
    { from: to, to: Infinity, start: end, end },
  ];
}

/** The course of an attack: without a corner at either end. */
const rise = (share) => Math.sin((share * Math.PI) / 2) ** 2;

/**
 * The envelope of a tone, as the desktop client's `audio/voice/oscillator.rs` has it. One that is too short
 * for attack and release does not reach full level.
 * @param {number} startSeconds
 * @param {number} lengthSeconds
 * @returns {import('../automation/line.js').Line}
 */
export function envelopeOf(startSeconds, lengthSeconds) {
  const endSeconds = startSeconds + lengthSeconds;
  const attack = ramp(startSeconds, startSeconds + ATTACK_SECONDS, true);
  const release = ramp(endSeconds - RELEASE_SECONDS, endSeconds, false);
  return combine([attack, release], (up, down) => rise(up) * rise(down), () => false);
}
