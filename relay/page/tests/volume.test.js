// The volume as a position of the fader and in dB.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { positionOfDb, volumeDbOf } from '../state/volume.js';

test('every percent of the fader survives the way through the relay', () => {
  for (let percent = 0; percent <= 100; percent += 1) {
    const back = Math.round(positionOfDb(volumeDbOf(percent / 100)) * 100);
    // Below this the volume is silence.
    assert.equal(back, percent < 4 ? 0 : percent);
  }
});

test('the ends are silence and full level', () => {
  assert.deepEqual([volumeDbOf(0), volumeDbOf(1)], [-60, 0]);
  assert.deepEqual([positionOfDb(-60), positionOfDb(0), positionOfDb(-6.02)], [0, 1, 0.707131]);
});

test('every volume that can be asked for is reported as it was asked for', () => {
  for (let decibels = -60; decibels <= 0; decibels += 0.5) {
    assert.equal(volumeDbOf(positionOfDb(decibels)) + 0, decibels + 0);
  }
});
