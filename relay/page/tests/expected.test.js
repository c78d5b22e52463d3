// Values that were asked for and are not yet reported.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Expected } from '../state/expected.js';

test('a value is shown until it is reported', () => {
  const expected = new Expected();
  assert.equal(expected.shown('volume', -6, 0), -6);
  expected.expect('volume', -12, 0);
  assert.equal(expected.shown('volume', -6, 9000), -12);
  assert.equal(expected.shown('volume', -11.99, 9100), -11.99);
  assert.equal(expected.shown('volume', -3, 9200), -3, 'from then on reports count');
});

test('a value that never comes is given up', () => {
  const expected = new Expected();
  expected.expect('isMuted', true, 0);
  assert.equal(expected.shown('isMuted', false, 11_999), true);
  assert.equal(expected.shown('isMuted', false, 12_000), false);
  expected.expect('isMuted', true, 0);
  expected.clear();
  assert.equal(expected.shown('isMuted', false, 1), false);
});

test('a value that nobody asked for here is the one of someone else, and is shown at once', () => {
  const expected = new Expected();
  expected.shown('volume', -6, 0);
  for (const volume of [-7, -8, -9]) expected.expect('volume', volume, 100);
  assert.equal(expected.shown('volume', -6, 200), -9, 'as before');
  assert.equal(expected.shown('volume', -7, 300), -9, 'on the way');
  assert.equal(expected.shown('volume', -20, 400), -20);
  assert.equal(expected.shown('volume', -7, 500), -7, 'from then on reports count');
});

test('several machines do not report at once', () => {
  const expected = new Expected();
  const mixed = Symbol('mixed');
  expected.shown('volume', -6, 0);
  expected.expect('volume', -9, 0);
  assert.equal(expected.shown('volume', mixed, 100), -9);
  assert.equal(expected.shown('volume', -9.01, 200), -9.01);
  assert.equal(expected.shown('volume', mixed, 300), mixed);
});
