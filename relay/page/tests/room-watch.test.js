// Watching the room while someone looks at it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Requests } from '../session/requests.js';
import { RoomWatch } from '../session/room-watch.js';
import { Machines } from '../state/machines.js';
import { Receipts } from '../state/receipts.js';
import { callsOf, recorder } from './fakes.js';

class World {
  log = [];
  sent = [];
  isVisible = true;
  room = { id: 7, rights: 'conductor', standard: { bank: 1, sounds: 1 } };

  constructor() {
    this.machines = new Machines();
    this.watch = new RoomWatch({
      requests: new Requests((message) => this.sent.push(message.room) > 0),
      room: this.room,
      machines: this.machines,
      receipts: new Receipts(),
      ui: { room: recorder('room', this.log), bank: recorder('bank', this.log) },
      now: () => 5_000_000,
      isVisible: () => this.isVisible,
    });
  }
}

const client = { id: 2, name: 'harp', kind: 'window', rights: 'player' };

test('the room is watched in the views that show it, and no longer', () => {
  const { watch, sent } = new World();
  for (const view of ['play', 'room', 'sounds', 'bang', 'bang', 'room']) watch.show(view);
  assert.deepEqual(sent, [true, false, true]);
});

test('a hidden page watches nothing', () => {
  const world = new World();
  world.watch.show('room');
  world.isVisible = false;
  world.watch.refresh();
  world.isVisible = true;
  world.watch.refresh();
  assert.deepEqual(world.sent, [true, false, true]);
});

test('only conductors watch, and who is no longer one says nothing', () => {
  const world = new World();
  world.room.rights = 'player';
  world.watch.show('room');
  assert.deepEqual(world.sent, []);
  world.room.rights = 'conductor';
  world.watch.refresh();
  world.room.rights = 'listener';
  world.watch.refresh();
  assert.deepEqual(world.sent, [true]);
});

test('after a reconnection it watches again, from an empty list', () => {
  const world = new World();
  world.watch.show('room');
  world.watch.changed({ clients: [client] });
  assert.equal(world.machines.all.length, 1);
  world.room.id = null;
  world.watch.disconnected();
  assert.equal(world.machines.all.length, 0);
  assert.deepEqual(callsOf(world.log, 'room.showJoining'), [[null]]);
  world.room.id = 8;
  world.watch.welcome();
  assert.deepEqual(world.sent, [true, true]);
});

test('a watch that begins again begins with an empty list', () => {
  const world = new World();
  world.watch.show('room');
  world.watch.changed({ clients: [client] });
  world.watch.show('play');
  world.watch.show('room');
  world.watch.changed({ clients: [{ ...client, id: 3 }] });
  assert.deepEqual(world.machines.all.map(({ id }) => id), [3]);
});

test('machines and receipts are shown as they come', () => {
  const world = new World();
  world.watch.show('room');
  world.watch.changed({ clients: [client] });
  assert.deepEqual(callsOf(world.log, 'room.showMachines'), [[world.machines, world.room.standard]]);
  assert.deepEqual(callsOf(world.log, 'bank.showPlayers'), [[world.machines.players, world.room.standard]]);
  world.watch.receipt({ seq: 9 });
  const [[receipts]] = callsOf(world.log, 'room.showReceipts').slice(-1);
  assert.deepEqual(receipts, [{ receipt: { seq: 9 }, arrivedAt: 5000 }]);
});

test('counts have the time at which they were reported', () => {
  const { watch, machines } = new World();
  watch.show('room');
  for (const xruns of [40, 52]) watch.changed({ clients: [{ ...client, report: { triggers: 0, late: 0, xruns } }] });
  assert.deepEqual(machines.all[0].steps, [{ at: 5000, triggers: 0, late: 0, xruns: 12 }]);
});

test('another bank is compared with while someone looks', () => {
  const world = new World();
  world.watch.standardChanged();
  assert.deepEqual(world.log, []);
  world.watch.show('sounds');
  world.watch.standardChanged();
  assert.equal(callsOf(world.log, 'bank.showPlayers').length, 1);
});
