// What those who run the room ask for.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodeFromClient, encode } from '../protocol/messages.js';
import { Conductor } from '../session/conductor.js';
import { Requests } from '../session/requests.js';

const client = (id, changed = {}) => ({ key: `c${id}`, id, isAway: false, name: `m${id}`, ...changed });
const AWAY = { key: 'm9', machine: 9, isAway: true, name: 'lab-9' };

function world({ connected = true } = {}) {
  const sent = [];
  const notes = [];
  const timers = [];
  const send = (message) => {
    if (!connected) return false;
    const { ack, ...request } = message;
    sent.push(request);
    assert.equal(decodeFromClient(encode(message)).problem, null);
    return true;
  };
  const conductor = new Conductor(
    new Requests(send),
    { notify: (text) => notes.push(text) },
    (run) => timers.push(run),
  );
  const run = () => {
    while (timers.length > 0) timers.shift()();
  };
  return { conductor, sent, notes, timers, run };
}

test('a change goes to connected clients by their ids, and to machines that are away by their numbers', () => {
  const { conductor, sent } = world();
  conductor.assign([client(7), AWAY], { seat: 3, rights: 'listener' });
  assert.deepEqual(sent, [
    { type: 'assign', clients: [7], seat: 3, rights: 'listener' },
    { type: 'assign', machines: [9], seat: 3, rights: 'listener' },
  ]);
});

test('names and tags are normalized, and invalid ones are told', () => {
  const { conductor, sent, notes } = world();
  conductor.assign([client(7)], { name: '  harp\n' });
  conductor.tag([client(7)], { add: ' left ' });
  assert.deepEqual(sent.map(({ name, tags }) => name ?? tags), ['harp', ['left']]);
  conductor.assign([client(7)], { name: '\u200b' });
  conductor.tag([client(7)], { add: 'x'.repeat(65) });
  conductor.editSounds({ sounds: [{ hash: 'aa', name: ' ' }] });
  assert.deepEqual([sent.length, notes.length], [2, 3]);
});

test('seats and places go to one machine after the other, not all at once', () => {
  const { conductor, sent, timers, run } = world();
  conductor.seat([client(7), client(3), AWAY], 5);
  assert.deepEqual([sent.length, timers.length], [1, 1]);
  run();
  conductor.place([{ machine: client(7), place: { x: 0.51, y: 0.5 } }]);
  run();
  assert.deepEqual(sent, [
    { type: 'assign', clients: [7], seat: 5 },
    { type: 'assign', clients: [3], seat: 6 },
    { type: 'assign', machines: [9], seat: 7 },
    { type: 'assign', clients: [7], place: { x: 0.5, y: 0.5 } },
  ]);
});

test('what waits for its turn is given up without a connection', () => {
  const { conductor, notes, timers } = world({ connected: false });
  conductor.seat([client(7), client(3)], 1);
  assert.deepEqual([notes.length, timers.length], [1, 0]);
});

test('commands are for those that are connected, and only what is away is forgotten', () => {
  const { conductor, sent } = world();
  conductor.command([client(7), AWAY], 'identify');
  conductor.forget([client(7), AWAY]);
  conductor.lock(true);
  assert.deepEqual(sent, [
    { type: 'command', clients: [7], command: 'identify' },
    { type: 'forget', machines: [9] },
    { type: 'lock', locked: true },
  ]);
});

test('the bank is edited by hash', () => {
  const { conductor, sent } = world();
  conductor.editSounds({ sounds: [{ hash: 'aa', gain_db: -3, loop: true }] });
  conductor.editSounds({ defaultSound: 'bb' });
  assert.deepEqual(sent, [
    { type: 'edit_sounds', sounds: [{ hash: 'aa', gain_db: -3, loop: true }], default_sound: undefined },
    { type: 'edit_sounds', sounds: undefined, default_sound: 'bb' },
  ]);
});
