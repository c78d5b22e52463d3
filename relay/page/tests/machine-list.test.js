// The order and the choice of the list of machines.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MachineList, SORTS, countsOf, inShownOrder, listed } from '../state/machine-list.js';

const STANDARD = { bank: 1, sounds: 1, maxLeadMicros: 500_000, relay: 'r/1.0' };
const REPORT = { triggers: 0, late: 0, xruns: 0, latency_micros: 9, clock_error_micros: 9, bank: 1, ready: 1 };

let lastId = 0;
function machine(name, changed = {}) {
  lastId += 1;
  return { key: name, id: lastId, isAway: false, name, kind: 'window', report: REPORT, ...changed };
}

const MACHINES = [
  machine('lab-10', { seat: 10, tags: ['left'] }),
  machine('lab-2', { seat: 2, steps: [{ at: 0, triggers: 0, late: 0, xruns: 50 }] }),
  machine('harp', { report: { ...REPORT, latency_micros: undefined } }),
  machine('stage', { kind: 'remote', report: undefined }),
  machine('Lab-9', { isAway: true, seat: 1, report: undefined }),
];

const rows = () => new MachineList().rows(MACHINES, STANDARD, 0);
const names = (how = {}) =>
  listed(rows(), { sort: 'trouble', filter: 'all', query: '', ...how }).map((row) => row.machine.name);

test('the worst comes first, then seats, then names', () => {
  assert.deepEqual(names(), ['harp', 'lab-2', 'Lab-9', 'lab-10', 'stage']);
});

test('by seat and by name, where numbers count as numbers', () => {
  assert.deepEqual(names({ sort: 'seat' }), ['Lab-9', 'lab-2', 'lab-10', 'harp', 'stage']);
  assert.deepEqual(names({ sort: 'name' }), ['harp', 'lab-2', 'Lab-9', 'lab-10', 'stage']);
  assert.equal(SORTS[0], 'trouble');
});

test('a filter shows as many as it counts', () => {
  const counts = countsOf(rows());
  assert.deepEqual(counts, { all: 5, trouble: 2, players: 3, away: 1 });
  for (const [filter, count] of Object.entries(counts)) assert.equal(names({ filter }).length, count);
});

test('a search finds names, tags, kinds, and the exact seat', () => {
  assert.deepEqual(names({ query: 'LAB' }), ['lab-2', 'Lab-9', 'lab-10']);
  assert.deepEqual(names({ query: 'left' }), ['lab-10']);
  assert.deepEqual(names({ query: 'remote' }), ['stage']);
  assert.deepEqual(names({ query: ' 1 ' }), ['Lab-9', 'lab-10']);
});

test('while someone aims, the order stays, and new rows come last', () => {
  const shown = inShownOrder(listed(rows(), { sort: 'name', filter: 'all', query: '' }), ['stage', 'lab-2']);
  assert.deepEqual(shown.map((row) => row.machine.name), ['stage', 'lab-2', 'harp', 'Lab-9', 'lab-10']);
});

test('a row is kept until its machine or the standard changes', () => {
  const list = new MachineList();
  const [first] = list.rows(MACHINES, STANDARD, 0);
  assert.equal(list.rows(MACHINES, { ...STANDARD }, 1)[0], first);
  assert.notEqual(list.rows([{ ...MACHINES[0] }], STANDARD, 1)[0], first);
  const [row] = list.rows(MACHINES, { ...STANDARD, sounds: 2 }, 1);
  assert.deepEqual([row.sounds, row.troubles[0].text], [2, '1 of 2 sounds']);
});

test('what is recent fades, although nothing comes from the relay', () => {
  const list = new MachineList();
  const [first, before] = list.rows(MACHINES, STANDARD, 1000);
  assert.deepEqual([before.recent.xruns, before.troubles.length, before.until], [50, 1, 300_000]);
  assert.equal(list.rows(MACHINES, STANDARD, 299_999)[1], before);
  const [same, after] = list.rows(MACHINES, STANDARD, 300_000);
  assert.deepEqual([after.recent.xruns, after.troubles, after.until], [0, [], Infinity]);
  assert.equal(same, first);
});
