// The tone: its waveforms and its envelope.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TONE_PEAK, envelopeOf, waveOf } from '../audio/tone.js';
import { valueAt } from '../automation/line.js';

/** The value of a wave at a phase, in cycles, from its first `harmonics`. */
function valueOf({ real, imag }, phase, harmonics = real.length) {
  let sum = 0;
  for (let harmonic = 1; harmonic < Math.min(real.length, harmonics); harmonic += 1) {
    const angle = 2 * Math.PI * harmonic * phase;
    sum += real[harmonic] * Math.cos(angle) + imag[harmonic] * Math.sin(angle);
  }
  return sum / TONE_PEAK;
}

test('every waveform begins at zero and rises, with its ideal height', () => {
  const ideal = {
    sine: (phase) => Math.sin(2 * Math.PI * phase),
    square: (phase) => (phase < 0.5 ? 1 : -1),
    saw: (phase) => (phase < 0.5 ? 2 * phase : 2 * phase - 2),
    triangle: (phase) => (phase < 0.25 ? 4 * phase : phase < 0.75 ? 2 - 4 * phase : 4 * phase - 4),
  };
  for (const [shape, height] of Object.entries(ideal)) {
    const wave = waveOf(shape, 0);
    assert.ok(Math.abs(valueOf(wave, 0)) < 1e-6);
    // Away from the steps, which a band-limited wave rounds.
    for (const phase of [0.1, 0.2, 0.25, 0.4, 0.6, 0.75, 0.9]) {
      assert.ok(Math.abs(valueOf(wave, phase) - height(phase)) < 0.003, `${shape} at ${phase}`);
    }
  }
});

test('a wave that is joined continues at its phase', () => {
  for (const shape of ['sine', 'square', 'saw', 'triangle']) {
    const [whole, joined] = [waveOf(shape, 0), waveOf(shape, 1234.3)];
    for (const phase of [0, 0.13, 0.45, 0.8]) {
      const difference = valueOf(joined, phase, 40) - valueOf(whole, phase + 0.3, 40);
      assert.ok(Math.abs(difference) < 1e-5, `${shape} at ${phase}`);
    }
  }
});

test('a tone rises within 2 ms and falls within 5 ms, which are part of it', () => {
  const envelope = envelopeOf(10, 0.5);
  const values = [9.9, 10, 10.001, 10.002, 10.3, 10.495, 10.4975, 10.5, 11].map((at) => valueAt(envelope, at));
  const expected = [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0];
  values.forEach((value, at) => assert.ok(Math.abs(value - expected[at]) < 1e-6, `${values}`));
});

test('a tone that is too short for both does not click either', () => {
  for (const length of [0.001, 0.0035, 0.006]) {
    const envelope = envelopeOf(1, length);
    assert.deepEqual([valueAt(envelope, 1), valueAt(envelope, 1 + length)], [0, 0]);
    let last = 0;
    for (let at = 1; at < 1 + length; at += 1 / 48_000) {
      const value = valueAt(envelope, at);
      assert.ok(value >= 0 && Math.abs(value - last) < 0.02, `${value} after ${last}`);
      last = value;
    }
  }
});
