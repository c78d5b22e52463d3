// All machines of the room, from differences.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Machines, fadesAt, isPlayer, recentOf } from '../state/machines.js';

const client = (id, changed = {}) => ({ id, name: `m${id}`, kind: 'window', rights: 'player', ...changed });

function filled() {
  const machines = new Machines();
  machines.apply({ clients: [client(9), client(2, { machine: 12 })], away: [{ machine: 4, name: 'lab-9' }] });
  return machines;
}

const keys = (machines) => machines.all.map(({ key }) => key);

test('clients come in the order of connection, then those that are away', () => {
  assert.deepEqual(keys(filled()), ['c2', 'c9', 'm4']);
});

test('a difference replaces, adds and removes', () => {
  const machines = filled();
  machines.apply({ clients: [client(2, { name: 'harp' }), client(5)], left: [9], returned: [4] });
  assert.deepEqual(keys(machines), ['c2', 'c5']);
  assert.equal(machines.nameOf(2), 'harp');
  assert.equal(machines.nameOf(9), null);
});

test('what has not changed keeps its identity', () => {
  const machines = filled();
  const [before] = machines.all;
  machines.apply({ clients: [client(9, { seat: 3 })] });
  assert.equal(machines.all[0], before);
  assert.equal(machines.all, machines.all);
});

test('a machine that leaves is away, and returns as a client', () => {
  const machines = filled();
  machines.apply({ left: [2], away: [{ machine: 12, name: 'm2' }] });
  assert.deepEqual(keys(machines), ['c9', 'm4', 'm12']);
  machines.apply({ clients: [client(30, { machine: 12 })], returned: [12] });
  assert.deepEqual(keys(machines), ['c9', 'c30', 'm4']);
  machines.clear();
  assert.deepEqual(machines.all, []);
});

test('players sound on schedule', () => {
  const kinds = ['window', 'headless', 'page', 'remote', 'tutorial'];
  const machines = new Machines();
  machines.apply({ clients: kinds.map((kind, id) => client(id, { kind })), away: [{ machine: 4, name: 'x' }] });
  assert.deepEqual(machines.players.map(({ kind }) => kind), ['window', 'headless', 'page']);
  assert.equal(isPlayer({ isAway: true, kind: 'window' }), false);
});

test('of its counts only those of the last five minutes are recent', () => {
  const machines = new Machines();
  const report = (seconds, counts) =>
    machines.apply({ clients: [client(2, { report: { triggers: 0, late: 0, xruns: 0, ...counts } })] }, seconds * 1000);
  const recent = (seconds) => recentOf(machines.all[0], seconds * 1000);
  // What was counted before anyone looked may be months old.
  report(0, { triggers: 1000, late: 900, xruns: 4000 });
  assert.deepEqual(recent(0), { triggers: 0, late: 0, xruns: 0 });
  assert.equal(fadesAt(machines.all[0], 0), Infinity);
  report(100, { triggers: 1010, late: 903, xruns: 4000 });
  report(200, { triggers: 1020, late: 903, xruns: 4012 });
  assert.deepEqual(recent(399), { triggers: 20, late: 3, xruns: 12 });
  assert.equal(fadesAt(machines.all[0], 399_000), 400_000);
  assert.deepEqual(recent(400), { triggers: 10, late: 0, xruns: 12 });
  assert.deepEqual(recent(500), { triggers: 0, late: 0, xruns: 0 });
  // Its output was opened again.
  report(600, { triggers: 1020, late: 903, xruns: 5 });
  assert.deepEqual(recent(600), { triggers: 0, late: 0, xruns: 5 });
});

test('steps are bounded, whatever is reported, and another client begins anew', () => {
  const machines = new Machines();
  for (let quarter = 0; quarter < 8000; quarter += 1) {
    machines.apply({ clients: [client(2, { report: { triggers: 0, late: 0, xruns: quarter } })] }, quarter * 250);
  }
  const [{ steps }] = machines.all;
  assert.ok(steps.length <= 31, String(steps.length));
  const { xruns } = recentOf(machines.all[0], 8000 * 250);
  assert.ok(Math.abs(xruns - 1200) <= 40, String(xruns));
  machines.apply({ left: [2] }, 0);
  machines.apply({ clients: [client(2, { report: { triggers: 0, late: 0, xruns: 9000 } })] }, 8000 * 250);
  assert.deepEqual(machines.all[0].steps, []);
});
