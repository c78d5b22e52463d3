// What the session does with each message.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Session } from '../session/session.js';
import { Bindings } from '../state/bindings.js';
import { Cues } from '../state/cues.js';
import { Room } from '../state/room.js';
import { Variables } from '../state/variables.js';
import { callsOf, recorder } from './fakes.js';

const SOUNDS = ['click', 'bell'].map((name) => ({
  name,
  hash: name,
  bytes: 1,
  frames: 48_000,
  rate: 48_000,
  channels: 1,
}));

const WELCOME = {
  type: 'welcome',
  id: 7,
  epoch: '9f3a62c1d07be845',
  now: 0,
  sounds: SOUNDS,
  default_sound: 'click',
  bank: 1,
  machine: { rights: 'conductor' },
  relay: 'downbeat-relay/0.1.0',
  sounding: [],
  total: 1,
  clients: [{ id: 7, name: 'page-1', kind: 'page' }],
  limits: { message_bytes: 16_384, min_lead_micros: 5000, max_lead_micros: 500_000 },
  variables: [],
  lead_micros: 14_200,
};

const trigger = (seq, sound = 'bell') => ({
  type: 'trigger',
  seq,
  play_at: 1_000_000,
  sound,
  gain: 1,
  rate: 1,
  pan: 0,
  by: { id: 2, name: 'stage' },
});

class World {
  log = [];
  loaded = new Set();
  estimate = null;
  /** Whether the sender of a request handles its refusal. */
  isHandled = false;
  settings = { current: { sound: null } };

  constructor() {
    const { log } = this;
    this.room = new Room('page-1');
    this.cues = new Cues(this.room, new Bindings(new Variables()));
    this.session = new Session({
      room: this.room,
      cues: this.cues,
      clock: recorder('clock', log, { estimate: () => this.estimate }),
      bank: recorder('bank', log, {
        isReady: (name) => this.loaded.has(name),
        peaks: (name) => `peaks of ${name}`,
        request: (name) => (this.loaded.has(name) ? {} : undefined),
      }),
      scheduler: recorder('scheduler', log, { has: () => true }),
      variables: recorder('variables', log),
      lights: recorder('lights', log),
      reporter: recorder('reporter', log),
      outcomes: recorder('outcomes', log),
      requests: recorder('requests', log, {
        refused: ({ ack }) => {
          log.push(['requests.refused', ack]);
          return this.isHandled;
        },
      }),
      ownMachine: recorder('ownMachine', log),
      roomWatch: recorder('roomWatch', log),
      uploads: recorder('uploads', log),
      outputWatch: recorder('outputWatch', log),
      settings: this.settings,
      ui: recorder('ui', log, { bank: recorder('ui.bank', log), room: recorder('ui.room', log) }),
      now: () => 0,
    });
  }

  receive(message) {
    this.log.length = 0;
    this.session.receive(message);
    return this.log.map(([method]) => method);
  }

  calls(method) {
    return callsOf(this.log, method);
  }
}

test('the welcome of a new epoch resets clock and voices', () => {
  const calls = new World().receive(WELCOME);
  for (const method of ['clock.reset', 'scheduler.reset', 'reporter.reset', 'scheduler.resetCounts']) {
    assert.ok(calls.includes(method), method);
  }
});

test('a welcome of the same epoch keeps clock and voices, and measures again', () => {
  const world = new World();
  world.receive(WELCOME);
  const calls = world.receive(WELCOME);
  assert.ok(calls.includes('clock.burst') && calls.includes('reporter.reset'));
  assert.ok(!calls.includes('clock.reset') && !calls.includes('scheduler.reset'));
});

test('a bang plays the chosen sound if the bank has it, else the default sound', () => {
  const world = new World();
  world.settings.current.sound = 'bell';
  world.receive(WELCOME);
  assert.equal(world.session.chosenSound, 'bell');
  world.receive({ type: 'bank', sounds: [SOUNDS[0]], default_sound: 'click' });
  assert.equal(world.session.chosenSound, 'click');
  assert.deepEqual(world.calls('bank.replace'), [[[SOUNDS[0]], ['click', 'click']]]);
});

test('a trigger of a sound that is still loading is announced until the sound is loaded', () => {
  const world = new World();
  world.receive(WELCOME);
  world.receive(trigger(1));
  const [[text]] = world.calls('ui.notify');
  assert.match(text, /“bell” is still loading/);
  world.log.length = 0;
  world.loaded.add('bell');
  world.session.soundChanged('bell');
  assert.deepEqual(world.calls('ui.dismiss'), [[text]]);
  assert.equal(world.calls('scheduler.refresh').length, 1);
  world.receive(trigger(2));
  assert.deepEqual(world.calls('ui.notify'), []);
});

test('a stop ends the voices of its cues', () => {
  const world = new World();
  world.receive(WELCOME);
  world.receive(trigger(1));
  world.receive({ type: 'stop', seq: 2, stop_at: 5, by: { id: 2, name: 'stage' } });
  assert.deepEqual(world.calls('scheduler.stop').map(([cue]) => [cue.trigger.seq, cue.stopAt]), [[1, 5]]);
});

test('errors are shown as sentences', () => {
  const world = new World();
  world.receive({ ...WELCOME, machine: { rights: 'player' } });
  world.receive({ type: 'error', code: 'not_allowed', message: 'x' });
  assert.deepEqual(world.calls('ui.notify'), [['Only conductors can change this.']]);
  world.receive({ type: 'error', code: 'locked', message: 'x' });
  assert.deepEqual(world.calls('ui.notify'), [['The room is locked: only conductors play.']]);
  world.receive({ type: 'error', code: 'later', message: 'too loud' });
  assert.deepEqual(world.calls('ui.notify'), [['The relay reports: too loud']]);
});

test('the first clock estimate starts what waits for it', () => {
  const world = new World();
  world.receive(WELCOME);
  world.log.length = 0;
  world.session.probed({ replied: 0 }, 5);
  assert.deepEqual(world.log, []);
  world.estimate = { relayAt: (micros) => micros, localAt: (micros) => micros };
  world.session.probed({ replied: 0 }, 5);
  world.session.probed({ replied: 0 }, 6);
  assert.deepEqual(world.calls('reporter.observeDelay'), [[5, 5], [6, 6]]);
  assert.equal(world.calls('scheduler.refresh').length, 1);
  assert.equal(world.calls('reporter.report').length, 1);
  assert.equal(world.calls('reporter.reportIfChanged').length, 1);
});

test('values, declarations and refusals reach the variables', () => {
  const world = new World();
  world.receive(WELCOME);
  assert.deepEqual(world.calls('variables.welcome'), [[WELCOME, true]]);
  const value = { type: 'value', seq: 9, apply_at: 5, name: 'pitch', value: 1, by: { id: 2, name: 'a' } };
  world.receive(value);
  assert.deepEqual(world.calls('variables.value'), [[value]]);
  const change = { type: 'variables', removed: ['pitch'] };
  world.receive(change);
  assert.deepEqual(world.calls('variables.change'), [[change]]);
  world.receive({ type: 'error', code: 'invalid_value', message: 'x', ack: 3 });
  assert.deepEqual(world.calls('ui.showRefusal'), [[3]]);
});

test('a trigger for other machines lights its pad, and makes no sound here', () => {
  const world = new World();
  world.receive(WELCOME);
  world.estimate = { relayAt: (micros) => micros, localAt: (micros) => micros - 7 };
  const elsewhere = { ...trigger(1), target: { clients: [8] } };
  world.receive(elsewhere);
  assert.deepEqual(world.calls('lights.wait'), [[elsewhere, 999_993]]);
  assert.deepEqual(world.calls('bank.countUse'), []);
  const stop = { type: 'stop', seq: 2, stop_at: 5, by: { id: 2, name: 'stage' } };
  world.receive(stop);
  assert.deepEqual(world.calls('lights.stop'), [[stop]]);
});

test('what sounds now is listed with its progress', () => {
  const world = new World();
  world.receive(WELCOME);
  assert.deepEqual(world.session.sounding(), []);
  world.receive(trigger(1));
  world.receive({ ...trigger(2), play_at: 3_000_000 });
  world.estimate = { relayAt: () => 1_250_000 };
  assert.deepEqual(world.session.sounding(), [{ seq: 1, sound: 'bell', share: 0.25, leftMicros: 750_000 }]);
});

test('an error that its sender handles is not shown again', () => {
  const world = new World();
  world.isHandled = true;
  world.receive({ type: 'error', code: 'full', message: 'x', ack: 8 });
  assert.deepEqual(world.calls('requests.refused'), [[8]]);
  assert.deepEqual(world.calls('ui.notify'), []);
});

test('a trigger for this machine is answered, with the time until its instant', () => {
  const world = new World();
  world.receive(WELCOME);
  world.receive(trigger(1));
  assert.deepEqual(world.calls('outcomes.expect'), [[trigger(1), null]]);
  world.estimate = { relayAt: (micros) => micros, localAt: (micros) => micros - 1000 };
  world.receive(trigger(2));
  assert.deepEqual(world.calls('outcomes.expect'), [[trigger(2), 999]]);
  world.receive({ ...trigger(3), target: { clients: [8] } });
  world.receive(trigger(2));
  assert.deepEqual(world.calls('outcomes.expect'), [], 'neither for others nor twice');
});

test('what is kept of this machine is applied, and its rights are shown', () => {
  const world = new World();
  const calls = world.receive({ ...WELCOME, machine: { rights: 'player', name: 'harp' } });
  for (const method of ['ownMachine.welcome', 'roomWatch.welcome', 'uploads.connected']) {
    assert.ok(calls.includes(method), method);
  }
  assert.equal(world.room.rights, 'player');
  const record = { type: 'machine', rights: 'listener', muted: true };
  world.receive(record);
  assert.deepEqual(world.calls('ownMachine.record'), [[record]]);
  assert.equal(world.calls('reporter.report').length, 1, 'those who run the room see it');
  assert.equal(world.room.rights, 'listener');
  assert.equal(world.calls('ui.showRights').length, 1);
  assert.equal(world.calls('roomWatch.refresh').length, 1);
});

test('a name counts before what sounds, and changes are sent once a report is of this epoch', () => {
  const calls = new World().receive(WELCOME);
  const order = ['ownMachine.welcome', 'clock.reset', 'reporter.reset', 'bank.replace', 'ownMachine.sendChanges'];
  assert.deepEqual(calls.filter((call) => order.includes(call)), order);
  assert.ok(!calls.includes('reporter.report'));
});

test('a lock is shown, with who did it', () => {
  const world = new World();
  world.receive(WELCOME);
  world.receive({ type: 'lock', locked: true, by: { id: 2, name: 'stage' } });
  assert.equal(world.room.isLocked, true);
  assert.deepEqual(world.calls('ui.notify'), [['stage has locked the room.']]);
  assert.equal(world.calls('ui.showRights').length, 1);
});

test('commands are obeyed, and unknown ones ignored', () => {
  const world = new World();
  const by = { id: 2, name: 'stage' };
  world.receive({ ...WELCOME, clients: [{ id: 7, name: 'page-1', kind: 'page', seat: 4 }] });
  world.receive({ type: 'command', command: 'identify', by });
  assert.deepEqual(world.calls('ui.identify'), [['page-1', 4, 'stage']]);
  assert.deepEqual(world.receive({ type: 'command', command: 'restart_output', by }), ['outputWatch.restart']);
  assert.deepEqual(world.receive({ type: 'command', command: 'dance', by }), []);
});

test('what is watched, and answers to requests, reach who asked for them', () => {
  const world = new World();
  world.receive(WELCOME);
  const messages = [
    [{ type: 'machines', left: [3] }, 'roomWatch.changed'],
    [{ type: 'receipt', seq: 3 }, 'roomWatch.receipt'],
    [{ type: 'joining', links: [] }, 'ui.room.showJoining'],
    [{ type: 'ack', ack: 5 }, 'requests.acked'],
    [{ type: 'upload_ready', ack: 6, path: 'uploads/1' }, 'requests.ready'],
  ];
  for (const [message, method] of messages) assert.deepEqual(world.receive(message), [method]);
});

test('another bank is shown and reported at once', () => {
  const world = new World();
  world.receive(WELCOME);
  const removed = [{ name: 'bell', hash: 'bell' }];
  const calls = world.receive({ type: 'bank', sounds: [SOUNDS[0]], default_sound: 'click', bank: 2, removed });
  assert.ok(calls.includes('reporter.report') && calls.includes('roomWatch.standardChanged'));
  assert.deepEqual(world.calls('ui.bank.showBank'), [[[SOUNDS[0]], 'click', removed]]);
});

test('without a connection nothing is awaited or answered', () => {
  const world = new World();
  world.receive(WELCOME);
  world.log.length = 0;
  world.session.disconnected();
  const calls = world.log.map(([method]) => method);
  for (const method of ['requests.disconnected', 'roomWatch.disconnected', 'outcomes.reset', 'reporter.report']) {
    assert.ok(calls.includes(method), method);
  }
});
