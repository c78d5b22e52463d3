// The sync status.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SyncStatus } from '../state/sync-status.js';
import { formatMicros } from '../state/units.js';

test('a small error is not reported', () => {
  const status = new SyncStatus();
  for (const micros of [null, 35, 2000]) {
    status.setError(micros);
    assert.equal(status.problem(false, 20_000, 500_000), null);
  }
});

test('a large error is reported until it is well below the limit', () => {
  const status = new SyncStatus();
  status.setError(2401);
  assert.match(status.problem(), /may be off by ±2\.4 ms/);
  status.setError(1700);
  assert.match(status.problem(), /may be off by ±1\.7 ms/);
  status.setError(1600);
  assert.equal(status.problem(), null);
  status.setError(1700);
  assert.equal(status.problem(), null);
});

test('a lead above the limit is reported before a large error', () => {
  const status = new SyncStatus();
  status.setError(2500);
  assert.equal(
    status.problem(true, 612_000, 500_000),
    'Needs 612 ms of lead; the limit is 500 ms, so sounds start late here.',
  );
  for (const needed of [null, 210_000]) {
    assert.match(status.problem(true, needed, 500_000), /^Needs more lead; the limit is 500 ms/);
  }
});

test('durations are formatted in µs or ms', () => {
  assert.deepEqual([35.2, 999, 1500, 42_300].map(formatMicros), ['35 µs', '999 µs', '1.5 ms', '42 ms']);
});
