// The peaks of a sound.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BINS, peaksOf } from '../bank/peaks.js';

test('a bin holds the highest level of its part, over all channels', () => {
  const left = new Float32Array(BINS * 10);
  const right = new Float32Array(BINS * 10);
  left[5] = -0.25;
  right[15] = 0.5;
  left[BINS * 10 - 1] = 0.125;
  const peaks = peaksOf([left, right]);
  assert.equal(peaks.length, BINS);
  assert.deepEqual([peaks[0], peaks[1], peaks[BINS - 1]], [0.5, 1, 0.25]);
  assert.equal(peaks.filter((peak) => peak > 0).length, 3);
});

test('a sound of fewer frames than bins fills all bins', () => {
  const peaks = peaksOf([Float32Array.of(1, 0.5)]);
  assert.deepEqual([peaks[0], peaks[BINS / 2 - 1], peaks[BINS / 2], peaks[BINS - 1]], [1, 1, 0.5, 0.5]);
});

test('silence has no peaks', () => {
  assert.ok(peaksOf([new Float32Array(1000)]).every((peak) => peak === 0));
});
