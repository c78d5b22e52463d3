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
      settings: this.settings,
      ui: recorder('ui', log),
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
  world.receive({ type: 'error', code: 'not_allowed', message: 'x' });
  assert.deepEqual(world.calls('ui.notify'), [['The relay lets this page listen, but not play.']]);
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
