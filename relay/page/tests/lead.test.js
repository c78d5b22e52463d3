// The lead that the page asks for.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DelayTail, changedMuch, leadNeed } from '../lead.js';

test('the tail is what all but one in twenty keep below', () => {
  const tail = new DelayTail();
  assert.equal(tail.micros, null);
  for (let delay = 1; delay <= 60; delay += 1) tail.observe(delay * 100);
  assert.equal(tail.micros, 5700);
});

test('one spike does not move it, a network that has become slow does', () => {
  const tail = new DelayTail();
  for (let i = 0; i < 64; i += 1) tail.observe(200);
  tail.observe(90_000);
  assert.equal(tail.micros, 200);
  for (let i = 0; i < 4; i += 1) tail.observe(30_000);
  assert.ok(tail.micros >= 30_000);
});

test('a spike is forgotten, and a clock error is no negative delay', () => {
  const tail = new DelayTail();
  for (let i = 0; i < 10; i += 1) tail.observe(90_000);
  for (let i = 0; i < 64; i += 1) tail.observe(-50);
  assert.equal(tail.micros, 0);
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
