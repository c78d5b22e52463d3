// Receipts in words.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ANSWER_MILLIS, Receipts, describe, nextOverAt } from '../state/receipts.js';

const receipt = (changed = {}) => ({
  type: 'receipt',
  seq: 42,
  sound: 'bell',
  by: { id: 1, name: 'stage' },
  expected: 30,
  sounded: 30,
  ...changed,
});

const nameOf = (id) => (id === 99 ? null : `m${id}`);
const words = (changed, age = ANSWER_MILLIS) => describe(receipt(changed), age, nameOf);
const lines = (...args) => words(...args).lines.map(({ name, text, level }) => `${level}: ${name} ${text}`);

test('all have sounded', () => {
  const all = words();
  assert.deepEqual([all.summary, all.level, all.lines, all.more], ['30 of 30', 'good', [], 0]);
  assert.deepEqual([all.onTime, all.late, all.missed], [1, 0, 0]);
});

test('who was late and by how much, who did not sound and why', () => {
  const changed = {
    sounded: 28,
    late: [{ id: 5, lateness_micros: 8200 }],
    missed: [
      { id: 9, reason: 'not_ready' },
      { id: 99, reason: 'asleep' },
    ],
  };
  assert.deepEqual(lines(changed), [
    'bad: m9 had not loaded the sound',
    'bad: client 99 did not sound',
    'warn: m5 8.2 ms late',
  ]);
  const { level, onTime, late, missed } = words(changed);
  assert.equal(level, 'bad');
  assert.deepEqual([onTime, late, missed].map((part) => Math.round(part * 30)), [27, 1, 2]);
});

test('who is muted wants it so', () => {
  const changed = { sounded: 29, missed: [{ id: 9, reason: 'muted' }] };
  assert.deepEqual(lines(changed), ['info: m9 is muted']);
  assert.equal(words(changed).level, 'good');
});

test('who has not answered has time, and then counts', () => {
  const changed = { sounded: 20, waiting: [3, 4] };
  const early = words(changed, 100);
  assert.deepEqual([early.level, early.lines.length, early.missed, early.more], ['wait', 0, 0, 0]);
  const later = words(changed);
  assert.deepEqual([later.level, later.lines.length, later.more], ['warn', 2, 8]);
});

test('a trigger for nobody', () => {
  assert.equal(words({ expected: 0, sounded: 0 }).summary, 'for nobody');
});

test('the last 64 are kept, the latest first, each as it came last', () => {
  const receipts = new Receipts();
  for (let seq = 1; seq <= 70; seq += 1) receipts.apply(receipt({ seq, sounded: 0 }), seq);
  receipts.apply(receipt({ seq: 70, sounded: 29 }), 500);
  const { latest } = receipts;
  assert.equal(latest.length, 64);
  assert.deepEqual([latest[0].receipt.seq, latest[0].receipt.sounded, latest[0].arrivedAt], [70, 29, 70]);
  assert.equal(latest.at(-1).receipt.seq, 7);
  receipts.clear();
  assert.deepEqual(receipts.latest, []);
});

test('in a quick sequence each trigger has its own time', () => {
  const receipts = new Receipts();
  for (const seq of [1, 2, 3]) receipts.apply(receipt({ seq, sounded: 20, waiting: [3] }), seq * 500);
  receipts.apply(receipt({ seq: 1, sounded: 21, waiting: [4] }), 3000);
  const levels = (now) => receipts.latest.map((one) => describe(one.receipt, now - one.arrivedAt, nameOf).level);
  assert.deepEqual(levels(4499), ['wait', 'wait', 'wait']);
  assert.deepEqual(levels(4500), ['wait', 'wait', 'warn']);
  // They are shown again whenever the time of one of them is over.
  const over = [2000, 4500, 5000, 5500].map((now) => nextOverAt(receipts.latest, now));
  assert.deepEqual(over, [4500, 5000, 5500, Infinity]);
});
