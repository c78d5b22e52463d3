// The lead that the page asks for.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DelayTail, changedMuch, leadNeed } from '../session/lead.js';

const SECOND = 1e6;

test('nothing is known before the first message', () => {
  assert.equal(new DelayTail().micros, null);
});

test('the tail is never below the delay and at most a bin above', () => {
  for (const micros of [16, 17, 100, 999.5, 1000, 14_217, 333_333, 1_999_999]) {
    const tail = new DelayTail();
    tail.observe(micros, 3 * SECOND);
    assert.ok(tail.micros >= micros && tail.micros <= micros * 1.0906 + 1, `${micros}: ${tail.micros}`);
  }
});

test('absurd delays are taken for the nearest sensible one', () => {
  for (const [micros, expected] of [
    [-5, 16],
    [NaN, 16],
    [-Infinity, 16],
    [1e300, 2_097_152],
    [Infinity, 2_097_152],
  ]) {
    const tail = new DelayTail();
    tail.observe(micros, 0);
    assert.equal(tail.micros, expected, String(micros));
  }
});

test('one in a hundred may be late and no more', () => {
  const tail = new DelayTail();
  for (let second = 0; second < 99; second += 1) tail.observe(1000, second * SECOND);
  tail.observe(50_000, 99 * SECOND);
  assert.ok(tail.micros < 1100);
  tail.observe(50_000, 99 * SECOND);
  assert.ok(tail.micros >= 50_000);
});

test('it rises at once while little is known', () => {
  const tail = new DelayTail();
  tail.observe(1000, 0);
  tail.observe(30_000, SECOND);
  assert.ok(tail.micros >= 30_000);
});

test('it falls when slow messages are two minutes old and not before', () => {
  const tail = new DelayTail();
  for (let second = 0; second < 10; second += 1) tail.observe(80_000, second * SECOND);
  for (let second = 10; second < 300; second += 1) {
    tail.observe(1000, second * SECOND);
    if (second < 110) assert.ok(tail.micros >= 80_000, `at ${second} s`);
    if (second >= 120) assert.ok(tail.micros < 1100, `at ${second} s`);
  }
});

test('what is old is forgotten however long it was silent, and all of it by a reset', () => {
  for (const silence of [120, 121, 100_000]) {
    const tail = new DelayTail();
    tail.observe(80_000, 5 * SECOND);
    tail.observe(2000, (5 + silence) * SECOND);
    assert.ok(tail.micros < 2200, `after ${silence} s`);
    tail.reset();
    assert.equal(tail.micros, null);
  }
});

test('the need is the whole way, and none while it is not known', () => {
  assert.equal(leadNeed(1000, 35_000, 2667.7, 0), 38_668);
  assert.equal(leadNeed(1000, 35_000, 2667.7, 10_000), 48_668);
  assert.equal(leadNeed(1000, 35_000, 2667.7, -500_000), 0);
  assert.equal(leadNeed(null, 35_000, 2667.7, 0), null);
  assert.equal(leadNeed(1000, null, 2667.7, 0), null);
});

test('the relay hears of a change at once only if it is one', () => {
  assert.equal(changedMuch(40_000, 39_000), false);
  assert.equal(changedMuch(60_000, 40_000), true);
  assert.equal(changedMuch(1500, 200), false);
  assert.equal(changedMuch(null, 40_000), true);
  assert.equal(changedMuch(40_000, null), true);
  assert.equal(changedMuch(null, null), false);
});
