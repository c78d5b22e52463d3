// What the relay keeps of this machine, and what a person changes on it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OwnMachine } from '../session/own-machine.js';
import { Requests } from '../session/requests.js';

class World {
  sent = [];
  applied = {};
  timers = [];
  now = 0;
  connected = true;
  room = { id: 7 };

  constructor() {
    this.requests = new Requests((message) => this.connected && this.sent.push(message) > 0);
    this.machine = new OwnMachine(
      this.requests,
      this.room,
      (kept) => Object.assign(this.applied, kept),
      () => this.sent.push({ type: 'report' }),
      (run, millis) => this.timers.push({ run, at: this.now + millis }),
    );
  }

  pass(millis) {
    this.now += millis;
    const due = this.timers.filter(({ at }) => at <= this.now);
    this.timers = this.timers.filter(({ at }) => at > this.now);
    for (const { run } of due) run();
  }

  lose() {
    this.connected = false;
    this.room.id = null;
    this.requests.disconnected();
  }

  welcome(record) {
    this.connected = true;
    this.room.id = 8;
    this.machine.welcome(record);
    this.machine.sendChanges();
  }
}

const RECORD = {
  rights: 'player',
  name: 'harp',
  volume_db: -6,
  muted: true,
  extra_latency: [
    { output: 'HDA', micros: 1 },
    { output: 'browser', micros: 12_000 },
  ],
};

test('what is kept is applied, and what is not stays as it is here', () => {
  const world = new World();
  world.machine.record({ rights: 'player', extra_latency: [{ output: 'HDA', micros: 1 }] });
  assert.deepEqual(world.applied, {});
  world.machine.record(RECORD);
  assert.deepEqual(world.applied, { name: 'harp', volume_db: -6, muted: true, extra_latency_micros: 12_000 });
});

test('a change is sent with this client’s id', () => {
  const world = new World();
  world.machine.change('volume_db', -3);
  assert.deepEqual(world.sent, [{ type: 'assign', clients: [7], volume_db: -3, ack: 1 }]);
});

test('a moved fader is sent ten times a second, and its last value always', () => {
  const world = new World();
  for (let step = 1; step <= 100; step += 1) {
    world.machine.change('volume_db', -step);
    world.pass(10);
  }
  world.pass(200);
  assert.ok(world.sent.length <= 12, String(world.sent.length));
  assert.equal(world.sent.at(-1).volume_db, -100);
});

test('until a change is confirmed, what the relay says about that field is older', () => {
  const world = new World();
  world.machine.change('volume_db', -3);
  world.machine.record(RECORD);
  assert.deepEqual([world.applied.volume_db, world.applied.name], [undefined, 'harp']);
  world.machine.record({ ...RECORD, volume_db: -3 });
  world.requests.acked(1);
  assert.equal(world.applied.volume_db, -3);
  world.machine.record({ ...RECORD, volume_db: -20 });
  assert.equal(world.applied.volume_db, -20, 'from then on others change it');
});

test('of several changes only the last one is confirmed', () => {
  const world = new World();
  world.machine.change('volume_db', -3);
  world.machine.change('volume_db', -4);
  world.machine.record({ ...RECORD, volume_db: -3 });
  world.requests.acked(1);
  assert.equal(world.applied.volume_db, undefined);
  world.pass(100);
  world.machine.record({ ...RECORD, volume_db: -4 });
  world.requests.acked(2);
  assert.equal(world.applied.volume_db, -4);
});

test('a relay that confirms nothing counts again after some seconds, and one that refuses at once', () => {
  const world = new World();
  world.machine.change('muted', false);
  world.machine.record(RECORD);
  assert.equal(world.applied.muted, undefined);
  world.pass(3000);
  assert.equal(world.applied.muted, true);
  world.machine.change('muted', false);
  world.machine.record(RECORD);
  world.applied = {};
  world.requests.refused({ ack: 2, code: 'full', message: '' });
  assert.equal(world.applied.muted, true);
});

test('what was changed without a connection goes out with the next welcome, and is not undone by it', () => {
  const world = new World();
  world.lose();
  world.machine.change('name', 'viola');
  world.machine.change('volume_db', -9);
  assert.deepEqual(world.sent, []);
  world.welcome(RECORD);
  assert.deepEqual(world.sent, [{ type: 'assign', clients: [8], name: 'viola', volume_db: -9, ack: 1 }]);
  assert.deepEqual(world.applied, { muted: true, extra_latency_micros: 12_000 });
});

test('a change that was lost with the connection is sent again, unless there is a newer one', () => {
  const world = new World();
  world.machine.change('name', 'viola');
  world.pass(100);
  world.machine.change('muted', true);
  world.lose();
  world.machine.change('muted', false);
  world.sent.length = 0;
  world.welcome(RECORD);
  assert.deepEqual(world.sent.map(({ name, muted }) => [name, muted]), [['viola', false]]);
});

test('a change that a dead connection has swallowed is not undone, and counts after the next welcome', () => {
  const world = new World();
  world.welcome({ ...RECORD, muted: false });
  world.machine.change('muted', true);
  world.pass(200);
  world.machine.change('volume_db', -9);
  world.applied = {};
  // The loss is noticed after six seconds.
  world.pass(6000);
  world.lose();
  assert.deepEqual(world.applied, {});
  world.sent.length = 0;
  world.welcome({ ...RECORD, muted: false, name: 'viola' });
  assert.deepEqual(world.applied, { name: 'viola', extra_latency_micros: 12_000 });
  assert.deepEqual(world.sent.map(({ muted, volume_db: volume }) => [muted, volume]), [[true, -9]]);
});

test('what was answered is not sent again, and the next welcome counts', () => {
  const world = new World();
  world.welcome(RECORD);
  world.machine.change('volume_db', -9);
  world.machine.record({ ...RECORD, volume_db: -9 });
  world.requests.acked(1);
  world.lose();
  world.sent.length = 0;
  world.welcome({ ...RECORD, volume_db: -20 });
  assert.deepEqual([world.applied.volume_db, world.sent], [-20, []]);
});

test('what the relay says again with another field undoes no change', () => {
  const world = new World();
  const kept = { ...RECORD, muted: false };
  world.welcome(kept);
  world.machine.change('muted', true);
  world.applied = {};
  world.machine.record({ ...kept, volume_db: -20 });
  world.pass(5000);
  world.machine.record({ ...kept, volume_db: -30 });
  assert.deepEqual(world.applied, { volume_db: -30 });
  // Someone else unmutes it, after the relay has received that.
  world.machine.record({ ...kept, muted: true });
  world.machine.record(kept);
  assert.equal(world.applied.muted, false);
});

test('a relay whose disk fails confirms a change by telling it, and it is not sent again', () => {
  const world = new World();
  world.welcome(RECORD);
  world.machine.change('volume_db', -9);
  world.machine.record({ ...RECORD, volume_db: -9 });
  world.machine.record({ ...RECORD, volume_db: -20 });
  assert.equal(world.applied.volume_db, -20, 'the change of someone else is newer');
  world.pass(200);
  // One that changes nothing is not even told.
  world.machine.change('volume_db', -20);
  world.pass(5000);
  world.lose();
  world.sent.length = 0;
  world.welcome({ ...RECORD, volume_db: -30 });
  assert.deepEqual([world.applied.volume_db, world.sent], [-30, []]);
});

test('of a moved fader an earlier value that comes back is not applied, also if the last one is lost', () => {
  const world = new World();
  world.welcome(RECORD);
  for (const volume of [-7, -8, -9]) {
    world.machine.change('volume_db', volume);
    world.pass(100);
  }
  world.applied = {};
  world.machine.record({ ...RECORD, volume_db: -7 });
  world.machine.record({ ...RECORD, volume_db: -8 });
  world.pass(5000);
  assert.deepEqual(world.applied, {});
  world.machine.record({ ...RECORD, volume_db: -20 });
  assert.deepEqual(world.applied, { volume_db: -20 }, 'by then someone else is newer');
});

test('the relay is told the output before its extra latency, once for each connection', () => {
  const world = new World();
  world.lose();
  world.machine.change('extra_latency_micros', 3000);
  world.welcome(RECORD);
  world.pass(200);
  world.machine.change('extra_latency_micros', 4000);
  world.pass(200);
  world.machine.change('muted', true);
  const sent = world.sent.map(({ type, extra_latency_micros: micros }) => [type, micros]);
  assert.deepEqual(sent, [['report', undefined], ['assign', 3000], ['assign', 4000], ['assign', undefined]]);
});
