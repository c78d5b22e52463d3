// The selection of rows.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Selection } from '../state/selection.js';

const ORDER = ['a', 'b', 'c', 'd'];

const held = (selection) => ORDER.filter((key) => selection.has(key)).join('');

test('one alone, and none the second time', () => {
  const selection = new Selection();
  selection.only('a');
  selection.only('b');
  assert.equal(held(selection), 'b');
  selection.only('b');
  assert.equal(held(selection), '');
});

test('rows are added and taken away', () => {
  const selection = new Selection();
  for (const key of ['a', 'c', 'a']) selection.toggle(key);
  assert.deepEqual([held(selection), selection.size], ['c', 1]);
});

test('a range goes from the last one that was touched, either way', () => {
  const selection = new Selection();
  selection.extend('b', ORDER);
  selection.extend('d', ORDER);
  assert.equal(held(selection), 'bcd');
  selection.only('c');
  selection.extend('a', ORDER);
  assert.equal(held(selection), 'abc');
});

test('all, or none if all are', () => {
  const selection = new Selection();
  selection.all(ORDER);
  assert.equal(held(selection), 'abcd');
  selection.toggle('a');
  selection.all(ORDER);
  selection.all(ORDER);
  assert.equal(held(selection), '');
});

test('what does not exist any more is forgotten', () => {
  const selection = new Selection();
  selection.all(ORDER);
  assert.equal(selection.keep(['b', 'x']), true);
  assert.equal(held(selection), 'b');
  assert.equal(selection.keep(['b']), false);
  selection.clear();
  assert.equal(selection.size, 0);
});
