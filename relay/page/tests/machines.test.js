// All machines of the room, from differences.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Machines, isPlayer } from '../state/machines.js';

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
