// On how many machines a sound is ready.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readinessOf } from '../state/readiness.js';

const STANDARD = { bank: 4, sounds: 20 };
const player = (report) => ({ report: { bank: 4, ...report } });

test('complete machines count for every sound, others for what they do not miss', () => {
  const of = readinessOf(
    [player({ ready: 20 }), player({ ready: 18, missing: ['gong', 'bell'] }), player({ ready: 19, missing: ['gong'] })],
    STANDARD,
  );
  assert.deepEqual(of('click'), { ready: 3, of: 3 });
  assert.deepEqual(of('bell'), { ready: 2, of: 3 });
  assert.deepEqual(of('gong'), { ready: 1, of: 3 });
});

test('who has an older bank, names only some, or says nothing does not count yet', () => {
  const older = { report: { bank: 3, ready: 19 } };
  const vague = player({ ready: 2, missing: Array.from({ length: 16 }, (_, at) => `s${at}`) });
  const of = readinessOf([older, vague, { report: undefined }, player({}), player({ ready: 20 })], STANDARD);
  assert.deepEqual(of('click'), { ready: 1, of: 5 });
});

test('a number of a bank that a former epoch has counted is no newer one', () => {
  const of = readinessOf([{ report: { bank: 57, ready: 20 } }, { report: { ready: 20 } }], STANDARD);
  assert.deepEqual(of('click'), { ready: 1, of: 2 }, 'a program without numbers has the only bank that it knows');
});

test('a room without players', () => {
  assert.deepEqual(readinessOf([], STANDARD)('click'), { ready: 0, of: 0 });
});
