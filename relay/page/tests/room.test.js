// The room, from message to state.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Room } from '../state/room.js';

const TEXTURE = { name: 'texture', hash: 'aa', bytes: 1, frames: 480_000, rate: 48_000, channels: 1 };

function welcome(changed = {}) {
  return {
    type: 'welcome',
    id: 7,
    epoch: '9f3a62c1d07be845',
    now: 0,
    sounds: [TEXTURE],
    default_sound: 'texture',
    bank: 3,
    machine: { rights: 'player' },
    relay: 'downbeat-relay/0.1.0',
    sounding: [],
    total: 1,
    clients: [{ id: 7, name: 'page-1', kind: 'page' }],
    limits: { message_bytes: 16_384, min_lead_micros: 5000, max_lead_micros: 500_000 },
    lead_micros: 14_200,
    ...changed,
  };
}

function entered() {
  const room = new Room('page-1');
  room.welcome(welcome());
  return room;
}

test('only a welcome of another epoch is a new epoch', () => {
  const room = new Room('page-1');
  assert.equal(room.welcome(welcome()), true);
  assert.equal(room.welcome(welcome()), false);
  assert.equal(room.welcome(welcome({ epoch: '0000000000000001' })), true);
});

test('a bank replaces the one before', () => {
  const room = entered();
  const bell = { ...TEXTURE, name: 'bell', hash: 'bb', frames: 48_000 };
  const removed = [{ name: 'texture', hash: 'aa' }];
  room.bank({ type: 'bank', sounds: [bell], default_sound: 'bell', bank: 4, removed });
  assert.deepEqual([...room.sounds.keys()], ['bell']);
  assert.deepEqual([room.defaultSound, room.bankNumber, room.removed], ['bell', 4, removed]);
  room.bank({ type: 'bank', sounds: [bell], default_sound: 'bell', bank: 5 });
  assert.deepEqual(room.removed, []);
});

test('rosters change the list of clients, and a welcome replaces it', () => {
  const room = entered();
  const here = () => room.clients.map(({ id }) => id);
  const client = (id, changed = {}) => ({ id, name: `m${id}`, kind: 'page', ...changed });
  const change = (clients, left) => room.roster({ type: 'roster', total: 9, clients, left, lead_micros: 9 });
  assert.deepEqual(here(), [7]);
  change([client(2), client(70)]);
  change([client(70, { straggler: true })], [2]);
  assert.deepEqual(here(), [7, 70]);
  assert.equal(room.clients[1].straggler, true);
  assert.equal(room.total, 9);
  room.welcome(welcome());
  assert.deepEqual(here(), [7]);
  change([client(8)]);
  assert.deepEqual(here(), [7, 8]);
});

test('while disconnected the list of clients is empty', () => {
  const room = entered();
  room.roster({ type: 'roster', total: 1, clients: [{ id: 7, name: 'page-1', kind: 'page' }], lead_micros: 9 });
  assert.equal(room.leadMicros, 9);
  assert.equal(room.self.name, 'page-1');
  room.disconnected();
  assert.deepEqual([room.clients, room.total, room.id, room.self], [[], 0, null, undefined]);
});

test('a welcome says what this client may do, and what machines are compared with', () => {
  const room = entered();
  assert.deepEqual([room.rights, room.isLocked], ['player', false]);
  room.welcome(welcome({ locked: true, machine: { rights: 'conductor' } }));
  assert.deepEqual([room.rights, room.isLocked], ['conductor', true]);
  const relay = 'downbeat-relay/0.1.0';
  assert.deepEqual(room.standard, { bank: 3, sounds: 1, maxLeadMicros: 500_000, relay });
});
