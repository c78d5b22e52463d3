// What each gesture does.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { actionHandler } from '../session/actions.js';
import { Hand } from '../state/hand.js';
import { callsOf, recorder } from './fakes.js';

function world({ connected = true } = {}) {
  const log = [];
  const settings = {
    current: { name: 'page-1' },
    update: (changed) => {
      settings.current = { ...settings.current, ...changed };
    },
  };
  const room = { name: 'page-1', id: 7 };
  const scheduler = recorder('scheduler', log, { extraLatencyMicros: 0 });
  const parts = Object.fromEntries(
    ['cues', 'audio', 'bank', 'setStream', 'admissionCheck', 'outputWatch', 'reporter', 'ui'].map((name) => [
      name,
      recorder(name, log),
    ]),
  );
  const connection = recorder('connection', log, {
    send: (message) => {
      log.push(['connection.send', message]);
      return connected;
    },
  });
  const session = { chosenSound: 'bell', isPerMachine: (name) => name === 'seat-light' };
  const hand = new Hand();
  const perform = actionHandler({ ...parts, settings, room, hand, scheduler, connection, session });
  return { perform, log, settings, room, scheduler };
}

test('a bang sends the chosen sound, and is announced if it cannot be sent', () => {
  const { perform, log } = world();
  perform({ type: 'bang' });
  assert.deepEqual(log, [['connection.send', { type: 'trigger', sound: 'bell', gain: 1, rate: 1, pan: 0 }]]);
  const lost = world({ connected: false });
  lost.perform({ type: 'bang' });
  assert.match(callsOf(lost.log, 'ui.notify')[0][0], /was not sent/);
});

test('a stop silences this machine before it is sent', () => {
  for (const connected of [true, false]) {
    const { perform, log } = world({ connected });
    perform({ type: 'stop' });
    const order = log.map(([method]) => method);
    assert.deepEqual(order.slice(0, 3), ['cues.silence', 'scheduler.refresh', 'connection.send']);
    assert.equal(order.includes('ui.notify'), !connected);
  }
});

test('a rename is normalized, reconnects, and ignores an invalid name', () => {
  const { perform, log, settings, room } = world();
  perform({ type: 'rename', name: '  balcony\n' });
  assert.deepEqual([settings.current.name, room.name], ['balcony', 'balcony']);
  assert.equal(callsOf(log, 'connection.reconnect').length, 1);
  perform({ type: 'rename', name: '\u200b' });
  assert.equal(callsOf(log, 'connection.reconnect').length, 1);
  assert.deepEqual(callsOf(log, 'ui.showName'), [['balcony'], ['balcony']]);
});

test('extra latency is remembered, applied, and reported at once', () => {
  const { perform, log, settings, scheduler } = world();
  perform({ type: 'extra-latency', millis: 12.5 });
  assert.equal(settings.current.extraLatencyMillis, 12.5);
  assert.equal(scheduler.extraLatencyMicros, 12_500);
  assert.equal(callsOf(log, 'reporter.report').length, 1);
});

test('a token is used, and starts the audio like any gesture', () => {
  const { perform, log } = world();
  perform({ type: 'token', token: 'abc' });
  assert.deepEqual(log, [['admissionCheck.useToken', 'abc'], ['outputWatch.start']]);
});

test('volume and choice are remembered', () => {
  const { perform, log, settings } = world();
  perform({ type: 'volume', volume: 0.5 });
  perform({ type: 'choose', sound: 'kick' });
  assert.deepEqual([settings.current.volume, settings.current.sound], [0.5, 'kick']);
  assert.deepEqual(log, [['audio.setVolume', 0.5], ['bank.request', 'kick']]);
});

test('a press sends what the hand says', () => {
  const { perform, log } = world();
  perform({ type: 'hand', changed: { pan: -1, target: 'others' } });
  perform({ type: 'press', sound: 'kick', hitDb: -6 });
  const [[message]] = callsOf(log, 'connection.send');
  assert.deepEqual([message.sound, message.pan, message.target], ['kick', -1, { others: true }]);
  assert.ok(Math.abs(message.gain - 0.501) < 0.001);
  assert.deepEqual(callsOf(log, 'bank.request'), [['kick']]);
});

test('a press for chosen machines is not sent while none is chosen', () => {
  const { perform, log } = world();
  perform({ type: 'hand', changed: { target: 'chosen' } });
  perform({ type: 'press', sound: 'kick', hitDb: 0 });
  assert.deepEqual(callsOf(log, 'connection.send'), []);
  assert.match(callsOf(log, 'ui.notify')[0][0], /No machine is chosen/);
});

test('a moved fader glides, its last value is acknowledged, and a machine sets its own', () => {
  const { perform, log } = world();
  perform({ type: 'hand', changed: { target: 'tag:left' } });
  perform({ type: 'set', name: 'pitch', value: 1, isGliding: true });
  perform({ type: 'set', name: 'pitch', value: 2, isGliding: true, isLast: true });
  for (const whose of ['self', 'all', 'hand']) {
    perform({ type: 'set', name: 'seat-light', value: '#ffffff', isLast: true, whose });
  }
  perform({ type: 'hand', changed: { target: 'chosen' } });
  perform({ type: 'set', name: 'seat-light', value: '#ffffff', isLast: true, whose: 'hand' });
  const requests = callsOf(log, 'setStream.set').map(([message]) => message);
  assert.deepEqual(requests.map(({ ack }) => ack), [undefined, 1, 2, 3, 4]);
  assert.deepEqual(requests.map(({ over_micros: over }) => over), [25_000, 25_000, undefined, undefined, undefined]);
  assert.deepEqual(requests.map(({ target }) => target), [
    undefined,
    undefined,
    { clients: [7] },
    undefined,
    { tags: ['left'] },
  ]);
  assert.equal(callsOf(log, 'ui.notify').length, 1, 'nobody is chosen');
  assert.deepEqual(callsOf(log, 'ui.expectAck'), [
    [1, 'pitch'],
    [2, 'seat-light'],
    [3, 'seat-light'],
    [4, 'seat-light'],
  ]);
});

test('an assignment has valid and different tags', () => {
  const { perform, log } = world();
  perform({ type: 'assign', client: 9, tags: ['left', ' left ', '', 'brass'] });
  perform({ type: 'assign', client: 9, seat: 3 });
  const sent = callsOf(log, 'connection.send').map(([message]) => message);
  assert.deepEqual(sent[0].tags, ['left', 'brass']);
  assert.deepEqual([sent[1].clients, sent[1].seat, sent[1].tags], [[9], 3, undefined]);
});

test('a stop of one sound names it', () => {
  const { perform, log } = world();
  perform({ type: 'stop-sound', sound: 'bell' });
  assert.deepEqual(callsOf(log, 'connection.send'), [[{ type: 'stop', sound: 'bell' }]]);
});
