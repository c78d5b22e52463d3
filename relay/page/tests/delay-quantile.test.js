// The delay quantile.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DelayQuantile } from '../clock/delay-quantile.js';

const SECOND = 1e6;

test('there is no quantile before the first message', () => {
  assert.equal(new DelayQuantile().micros, null);
});

test('a single delay is rounded up by at most one bin', () => {
  for (const micros of [16, 17, 100, 999.5, 1000, 14_217, 333_333, 1_999_999]) {
    const delay = new DelayQuantile();
    delay.observe(micros, 3 * SECOND);
    assert.ok(delay.micros >= micros && delay.micros <= micros * 1.0906 + 1, `${micros}: ${delay.micros}`);
  }
});

test('out-of-range delays count in the nearest bin', () => {
  for (const [micros, expected] of [
    [-5, 16],
    [NaN, 16],
    [-Infinity, 16],
    [1e300, 2_097_152],
    [Infinity, 2_097_152],
  ]) {
    const delay = new DelayQuantile();
    delay.observe(micros, 0);
    assert.equal(delay.micros, expected, String(micros));
  }
});

test('one late message in a hundred does not count, two do', () => {
  const delay = new DelayQuantile();
  for (let second = 0; second < 99; second += 1) delay.observe(1000, second * SECOND);
  delay.observe(50_000, 99 * SECOND);
  assert.ok(delay.micros < 1100);
  delay.observe(50_000, 99 * SECOND);
  assert.ok(delay.micros >= 50_000);
});

test('with few messages it is the maximum', () => {
  const delay = new DelayQuantile();
  delay.observe(1000, 0);
  delay.observe(30_000, SECOND);
  assert.ok(delay.micros >= 30_000);
});

test('it falls when slow messages are two minutes old, not before', () => {
  const delay = new DelayQuantile();
  for (let second = 0; second < 10; second += 1) delay.observe(80_000, second * SECOND);
  for (let second = 10; second < 300; second += 1) {
    delay.observe(1000, second * SECOND);
    if (second < 110) assert.ok(delay.micros >= 80_000, `at ${second} s`);
    if (second >= 120) assert.ok(delay.micros < 1100, `at ${second} s`);
  }
});

test('old delays are forgotten after any silence, and all of them by a reset', () => {
  for (const silence of [120, 121, 100_000]) {
    const delay = new DelayQuantile();
    delay.observe(80_000, 5 * SECOND);
    delay.observe(2000, (5 + silence) * SECOND);
    assert.ok(delay.micros < 2200, `after ${silence} s`);
    delay.reset();
    assert.equal(delay.micros, null);
  }
});
