// Lines over time.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  combine,
  glide,
  isLevel,
  level,
  mapTimes,
  part,
  ratioOf,
  splice,
  travel,
  valueAt,
  valueBefore,
} from '../automation/line.js';

const near = (actual, expected, within = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);

/** 1 until 10, to 3 within 4 s, and to 0 at 20. */
const LINE = glide(glide(level(1), 10, 4, 3), 20, 0, 0);

/** Without gaps, from -Infinity to Infinity, level at both ends. */
function assertWhole(line) {
  assert.equal(line[0].from, -Infinity);
  assert.equal(line.at(-1).to, Infinity);
  for (const [at, segment] of line.entries()) {
    assert.ok(segment.from < segment.to);
    if (at > 0) assert.equal(segment.from, line[at - 1].to);
    if (!Number.isFinite(segment.from) || !Number.isFinite(segment.to)) assert.equal(segment.start, segment.end);
  }
}

test('a line has a value at every time, and two at a step', () => {
  assertWhole(LINE);
  const values = [-1e9, 10, 11, 14, 19.9, 20, 1e9].map((at) => valueAt(LINE, at));
  assert.deepEqual(values, [1, 1, 1.5, 3, 3, 0, 0]);
  assert.deepEqual([valueBefore(LINE, 20), valueBefore(LINE, 14), valueBefore(LINE, 12)], [3, 3, 2]);
  assert.deepEqual([isLevel(level(1)), isLevel(LINE)], [true, false]);
});

test('a glide begins where the one before it is by then', () => {
  const line = glide(LINE, 12, 2, 0);
  assertWhole(line);
  assert.deepEqual([11, 12, 13, 14, 20].map((at) => valueAt(line, at)), [1.5, 2, 1, 0, 0]);
});

test('the parts of a line are the line', () => {
  const parts = part(LINE, 9, 13);
  assert.deepEqual(parts, [
    { from: 9, to: 10, start: 1, end: 1 },
    { from: 10, to: 13, start: 1, end: 2.5 },
  ]);
  const line = splice(LINE, level(7), 12);
  assertWhole(line);
  assert.deepEqual([valueBefore(line, 12), valueAt(line, 12)], [2, 7]);
});

test('a sum is exact, a product where one factor moves, others nearly', () => {
  const other = glide(level(2), 12, 4, 0);
  const sum = combine([LINE, other], (a, b) => a + b, () => true);
  const product = combine([LINE, other], (a, b) => a * b, (moving) => moving === 1);
  assertWhole(sum);
  assertWhole(product);
  for (let at = 8; at < 24; at += 0.1) {
    near(valueAt(sum, at), valueAt(LINE, at) + valueAt(other, at));
    near(valueAt(product, at), valueAt(LINE, at) * valueAt(other, at), at > 12 && at < 14 ? 0.002 : 1e-9);
  }
});

test('rounded times leave out what is shorter than a step', () => {
  const short = glide(glide(level(0), 10, 0.2, 1), 12, 0, 2);
  const rounded = mapTimes(short, Math.round);
  assertWhole(rounded);
  assert.deepEqual([9, 10, 12].map((at) => valueAt(rounded, at)), [0, 1, 2]);
});

test('the way along a transposition is the integral of its factor', () => {
  near(travel(level(0), 3, 5), 2);
  near(travel(level(1200), 3, 5), 4);
  near(travel(level(1200), 5, 3), -4);
  const line = glide(glide(level(0), 1, 2, 1200), 4, 0, -700);
  let sum = 0;
  const step = 1e-4;
  for (let at = 0; at < 6 - step / 2; at += step) sum += ratioOf(valueAt(line, at + step / 2)) * step;
  near(travel(line, 0, 6), sum, 1e-4);
  near(travel(line, 1, 3), (2 * (2 - 1)) / Math.LN2);
  // A glide that is hardly one.
  near(travel(glide(level(0), 0, 1, 1e-9), 0, 1), 1);
});
