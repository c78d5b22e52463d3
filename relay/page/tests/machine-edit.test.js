// Changes of several machines at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MIXED, sharedOf, tagRequests, tagsOf, targetsOf } from '../state/machine-edit.js';

const client = (id, changed = {}) => ({ key: `c${id}`, id, isAway: false, name: `m${id}`, ...changed });
const away = (machine, changed = {}) => ({ key: `m${machine}`, machine, isAway: true, name: `a${machine}`, ...changed });

test('what all have, what differs, and what none has', () => {
  const shared = sharedOf([
    client(1, { rights: 'player', report: { volume_db: -6, muted: true } }),
    client(2, { rights: 'player', seat: 3, report: { volume_db: 0, muted: true, extra_latency_micros: 0 } }),
  ]);
  assert.deepEqual(
    [shared.rights, shared.seat, shared.volumeDb, shared.isMuted, shared.extraLatencyMicros],
    ['player', MIXED, MIXED, true, 0],
  );
  assert.equal(sharedOf([client(1)]).volumeDb, undefined);
});

test('a volume that has lost a little on its way is the same', () => {
  const shared = (...volumes) => sharedOf(volumes.map((db, id) => client(id, { report: { volume_db: db } }))).volumeDb;
  assert.equal(shared(-50, -50.000004, -49.99), -50);
  assert.equal(shared(-50, -50.5), MIXED);
  assert.equal(shared(-50, undefined), MIXED);
  assert.equal(shared(undefined, undefined), undefined);
});

test('clients and machines that are away are addressed each in their way', () => {
  assert.deepEqual(targetsOf([client(1), away(9), client(2)]), [{ clients: [1, 2] }, { machines: [9] }]);
  assert.deepEqual(targetsOf([]), []);
});

test('a request has at most 256 machines', () => {
  const many = Array.from({ length: 600 }, (_, id) => client(id));
  assert.deepEqual(targetsOf(many).map(({ clients }) => clients.length), [256, 256, 88]);
});

test('tags are counted', () => {
  const machines = [client(1, { tags: ['left', 'brass'] }), client(2, { tags: ['left'] }), client(3)];
  assert.deepEqual(tagsOf(machines), [['brass', 1], ['left', 2]]);
});

test('machines that end with the same tags share a request, and those that have them need none', () => {
  const machines = [
    client(1, { tags: ['left'] }),
    client(2, { tags: ['left', 'brass'] }),
    client(3),
    away(9),
    client(4, { tags: ['left'] }),
  ];
  assert.deepEqual(tagRequests(machines, { add: 'brass' }), [
    { clients: [1, 4], tags: ['left', 'brass'] },
    { clients: [3], tags: ['brass'] },
    { machines: [9], tags: ['brass'] },
  ]);
  assert.deepEqual(tagRequests(machines, { remove: 'left' }), [
    { clients: [1, 4], tags: [] },
    { clients: [2], tags: ['brass'] },
  ]);
});

test('a machine keeps 16 tags: the newest counts', () => {
  const tags = Array.from({ length: 16 }, (_, at) => `t${at}`);
  const [{ tags: kept }] = tagRequests([client(1, { tags })], { add: 'new' });
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [16, 't1', 'new']);
});
