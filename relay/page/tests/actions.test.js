// What each gesture does.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { actionHandler } from '../session/actions.js';
import { Requests } from '../session/requests.js';
import { Hand } from '../state/hand.js';
import { callsOf, recorder } from './fakes.js';

function world({ connected = true, standing = {} } = {}) {
  const log = [];
  const settings = {
    current: { name: 'page-1' },
    update: (changed) => {
      settings.current = { ...settings.current, ...changed };
    },
  };
  const room = { name: 'page-1', id: 7, rights: 'conductor', isLocked: false, ...standing };
  const scheduler = recorder('scheduler', log, { extraLatencyMicros: 0 });
  const parts = Object.fromEntries(
    `cues audio bank setStream admissionCheck outputWatch reporter ui ownMachine conductor uploads roomWatch
      wakeLock`
      .split(/\s+/)
      .map((name) => [name, recorder(name, log)]),
  );
  const connection = recorder('connection', log, {
    send: (message) => {
      log.push(['connection.send', message]);
      return connected;
    },
  });
  const session = { chosenSound: 'bell', isPerMachine: (name) => name === 'seat-light' };
  const hand = new Hand();
  const requests = new Requests(connection.send);
  const qrImage = async (url) => `image of ${url}`;
  const all = { ...parts, settings, room, hand, scheduler, connection, requests, session, qrImage };
  const perform = actionHandler(all);
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

test('a rename is normalized, told to the relay, and ignores an invalid name', () => {
  const { perform, log, settings, room } = world();
  perform({ type: 'rename', name: '  balcony\n' });
  assert.deepEqual([settings.current.name, room.name], ['balcony', 'balcony']);
  perform({ type: 'rename', name: '\u200b' });
  assert.deepEqual(callsOf(log, 'ownMachine.change'), [['name', 'balcony']]);
  assert.deepEqual(callsOf(log, 'ui.showName'), [['balcony'], ['balcony']]);
});

test('extra latency is remembered, applied, told to the relay, and reported at once', () => {
  const { perform, log, settings, scheduler } = world();
  perform({ type: 'extra-latency', millis: 12.5 });
  assert.equal(settings.current.extraLatencyMillis, 12.5);
  assert.equal(scheduler.extraLatencyMicros, 12_500);
  assert.deepEqual(callsOf(log, 'ownMachine.change'), [['extra_latency_micros', 12_500]]);
  assert.equal(callsOf(log, 'reporter.report').length, 1);
});

test('a code or token is used, and starts the audio like any gesture', () => {
  const { perform, log } = world();
  perform({ type: 'token', text: 'abc' });
  assert.deepEqual(log, [['admissionCheck.enter', 'abc'], ['outputWatch.start']]);
});

test('volume and choice are remembered', () => {
  const { perform, log, settings } = world();
  perform({ type: 'volume', volume: 0.5 });
  perform({ type: 'choose', sound: 'kick' });
  assert.deepEqual([settings.current.volume, settings.current.sound], [0.5, 'kick']);
  assert.deepEqual(log, [
    ['audio.setVolume', 0.5],
    ['ownMachine.change', 'volume_db', -12.04],
    ['bank.request', 'kick'],
  ]);
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

test('mute is remembered, heard at once, told to the relay, and reported', () => {
  const { perform, log, settings } = world();
  perform({ type: 'mute', isMuted: true });
  assert.equal(settings.current.isMuted, true);
  const methods = log.map(([method]) => method);
  assert.deepEqual(methods, ['audio.setMuted', 'ui.showMuted', 'ownMachine.change', 'reporter.report']);
});

test('who may not play is told why, and nothing is sent', () => {
  for (const [standing, words] of [
    [{ rights: 'listener' }, /This machine listens/],
    [{ rights: 'player', isLocked: true }, /only conductors play/],
  ]) {
    const { perform, log } = world({ standing });
    perform({ type: 'bang' });
    perform({ type: 'press', sound: 'kick', hitDb: 0 });
    perform({ type: 'stop-sound', sound: 'kick' });
    perform({ type: 'audition', sound: 'kick' });
    assert.deepEqual(callsOf(log, 'connection.send'), []);
    const texts = callsOf(log, 'ui.notify');
    assert.equal(texts.length, 4);
    for (const [text] of texts) assert.match(text, words);
  }
});

test('who may not stop the others silences this machine, and is told so', () => {
  const { perform, log } = world({ standing: { rights: 'listener' } });
  perform({ type: 'stop' });
  assert.deepEqual(callsOf(log, 'connection.send'), []);
  assert.equal(callsOf(log, 'cues.silence').length, 1);
  assert.match(callsOf(log, 'ui.notify')[0][0], /^Stopped on this machine only\. This machine listens/);
});

test('a player may play in a room that is not locked', () => {
  const { perform, log } = world({ standing: { rights: 'player' } });
  perform({ type: 'bang' });
  assert.equal(callsOf(log, 'connection.send').length, 1);
});

test('an audition is for this machine alone', () => {
  const { perform, log } = world();
  perform({ type: 'audition', sound: 'kick' });
  assert.deepEqual(callsOf(log, 'connection.send'), [
    [{ type: 'trigger', sound: 'kick', target: { clients: [7] } }],
  ]);
});

test('another view is remembered, and decides what is watched', () => {
  const { perform, log, settings } = world();
  perform({ type: 'view', view: 'room' });
  assert.equal(settings.current.view, 'room');
  assert.deepEqual(callsOf(log, 'roomWatch.show'), [['room']]);
});

test('a QR code is shown beside its link', async () => {
  const log = [];
  const ui = { room: recorder('room', log) };
  const perform = actionHandler({ ui, qrImage: async (url) => `image of ${url}` });
  await perform({ type: 'qr', url: 'http://a/' });
  assert.deepEqual(log, [['room.showQr', 'http://a/', 'image of http://a/']]);
});

test('a stop of one sound names it', () => {
  const { perform, log } = world();
  perform({ type: 'stop-sound', sound: 'bell' });
  assert.deepEqual(callsOf(log, 'connection.send'), [[{ type: 'stop', sound: 'bell' }]]);
});
