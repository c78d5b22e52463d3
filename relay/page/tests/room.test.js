// What the page takes a message to mean.

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
    sounding: [],
    total: 1,
    clients: [{ id: 7, name: 'page-1', kind: 'page' }],
    limits: { message_bytes: 16_384, least_lead_micros: 5000, most_lead_micros: 500_000 },
    lead_micros: 14_200,
    ...changed,
  };
}

function trigger(seq, changed = {}) {
  return {
    type: 'trigger',
    seq,
    play_at: 1_000_000,
    sound: 'texture',
    gain: 1,
    rate: 1,
    pan: 0,
    by: { id: 2, name: 'stage' },
    ...changed,
  };
}

function stop(seq, changed = {}) {
  return { type: 'stop', seq, stop_at: 2_000_000, by: { id: 2, name: 'stage' }, ...changed };
}

function entered() {
  const room = new Room('page-1');
  room.welcome(welcome());
  return room;
}

test('a trigger sounds once, however often it comes', () => {
  const room = entered();
  assert.equal(room.trigger(trigger(1)), true);
  assert.equal(room.trigger(trigger(1)), false);
  assert.deepEqual([...room.wanted.keys()], [1]);
});

test('another bank takes the place of the one before, and what sounds goes on', () => {
  const room = entered();
  room.trigger(trigger(1));
  const bell = { ...TEXTURE, name: 'bell', hash: 'bb', frames: 48_000 };
  room.bank({ type: 'bank', sounds: [bell], default_sound: 'bell' });
  assert.deepEqual([...room.sounds.keys()], ['bell']);
  assert.equal(room.defaultSound, 'bell');
  // Ten seconds of texture, though the bank has none any more: also after a reconnect.
  room.prune(10_999_999);
  assert.deepEqual([...room.wanted.keys()], [1]);
  room.welcome(
    welcome({ sounds: [bell], sounding: [{ trigger: trigger(1) }], default_sound: 'bell' }),
  );
  room.prune(10_999_999);
  assert.deepEqual([...room.wanted.keys()], [1]);
  room.prune(11_000_000);
  assert.equal(room.wanted.size, 0);
  // What is banged now is the bank's own.
  room.trigger(trigger(2, { sound: 'bell', play_at: 11_000_000 }));
  room.prune(12_000_000);
  assert.equal(room.wanted.size, 0);
});

test('one that was overtaken still sounds, but none from long ago', () => {
  const room = entered();
  room.trigger(trigger(5000));
  assert.equal(room.trigger(trigger(4999)), true);
  assert.equal(room.trigger(trigger(17)), false);
});

test('years of triggers do not fill the memory with sounds that are over', () => {
  const room = entered();
  for (let seq = 1; seq <= 100_000; seq += 1) {
    room.trigger(trigger(seq, { play_at: seq * 1000 }));
    if (seq % 100 === 0) room.prune(seq * 1000);
  }
  assert.ok(room.wanted.size <= 10_100);
  room.prune(1e12);
  assert.equal(room.wanted.size, 0);
});

test('a trigger for others is known of, but does not sound', () => {
  const room = entered();
  assert.equal(room.trigger(trigger(1, { target: ['lab-3'] })), false);
  assert.equal(room.last.seq, 1);
  assert.equal(room.wanted.size, 0);
  assert.equal(room.trigger(trigger(2, { target: ['lab-3', 'page-1'] })), true);
});

test('after a new name, triggers are aimed at that one', () => {
  const room = entered();
  room.rename('balcony');
  assert.equal(room.trigger(trigger(1, { target: ['page-1'] })), false);
  assert.equal(room.trigger(trigger(2, { target: ['balcony'] })), true);
});

test('a stop ends one trigger, one sound, or everything before it', () => {
  const others = { by: { id: 1, name: 'a' } };
  for (const [wish, ended] of [
    [{ trigger: 2 }, [2]],
    [{ sound: 'bell' }, [3]],
    [{ sound: 'texture' }, [1, 2]],
    [{}, [1, 2, 3]],
    [{ trigger: 3, sound: 'texture' }, []],
  ]) {
    const room = entered();
    room.trigger(trigger(1, others));
    room.trigger(trigger(2));
    room.trigger(trigger(3, { sound: 'bell' }));
    room.trigger(trigger(5));
    const seqs = room.stop(stop(4, wish)).map((wanted) => wanted.trigger.seq);
    assert.deepEqual(seqs, ended, JSON.stringify(wish));
    for (const seq of ended) assert.equal(room.wanted.get(seq).stopAt, 2_000_000);
  }
});

test('of two stops the earlier one counts', () => {
  const room = entered();
  room.trigger(trigger(1));
  room.stop(stop(2));
  room.stop(stop(3, { stop_at: 3_000_000 }));
  assert.equal(room.wanted.get(1).stopAt, 2_000_000);
});

test('a welcome says what is to be joined', () => {
  const room = new Room('page-1');
  const mine = { trigger: trigger(3), stop_at: 1_500_000 };
  const others = { trigger: trigger(4, { target: ['lab-3'] }) };
  assert.equal(room.welcome(welcome({ sounding: [mine, others] })), true);
  assert.deepEqual([...room.wanted.keys()], [3]);
  assert.equal(room.wanted.get(3).stopAt, 1_500_000);
  assert.equal(room.trigger(trigger(3)), false);
});

test('back in the same life of the relay, what was stopped meanwhile is not wanted', () => {
  const room = entered();
  room.trigger(trigger(1));
  room.trigger(trigger(2));
  room.disconnected();
  assert.equal(room.welcome(welcome({ sounding: [{ trigger: trigger(2) }] })), false);
  assert.deepEqual([...room.wanted.keys()], [2]);
  assert.equal(room.trigger(trigger(1)), false, 'and it is not played again');
});

test('another life of the relay begins anew', () => {
  const room = entered();
  room.trigger(trigger(41));
  assert.equal(room.welcome(welcome({ epoch: '0000000000000001' })), true);
  assert.equal(room.wanted.size, 0);
  assert.equal(room.last, null);
  assert.equal(room.trigger(trigger(1)), true);
});

test('a sound ends after its length at its speed, or when it is stopped', () => {
  const room = entered();
  const sound = TEXTURE;
  assert.equal(room.endOf({ trigger: trigger(1), sound }), 11_000_000);
  assert.equal(room.endOf({ trigger: trigger(1, { rate: 2 }), sound }), 6_000_000);
  assert.equal(room.endOf({ trigger: trigger(1), sound, stopAt: 2_000_000 }), 2_000_000);
  assert.equal(room.endOf({ trigger: trigger(1, { sound: 'gone' }) }), 1_000_000);
});

test('who is here is kept by its changes, and begins anew with each welcome', () => {
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

test('without a connection nobody is known to be here', () => {
  const room = entered();
  room.roster({ type: 'roster', total: 1, clients: [{ id: 7, name: 'page-1', kind: 'page' }], lead_micros: 9 });
  assert.equal(room.leadMicros, 9);
  room.disconnected();
  assert.deepEqual([room.clients, room.total, room.id], [[], 0, null]);
});

test('what this machine silenced is not wanted again in the same life of the relay', () => {
  const room = entered();
  room.trigger(trigger(1));
  room.trigger(trigger(3));
  room.silence();
  assert.equal(room.wanted.size, 0);
  assert.equal(room.trigger(trigger(2)), false, 'it was banged before the stop');
  const sounding = [1, 3, 4].map((seq) => ({ trigger: trigger(seq) }));
  room.welcome(welcome({ sounding }));
  assert.deepEqual([...room.wanted.keys()], [4], 'what came meanwhile was never silenced here');
  room.welcome(welcome({ epoch: '0000000000000001', sounding: [{ trigger: trigger(1) }] }));
  assert.deepEqual([...room.wanted.keys()], [1], 'another life has numbers of its own');
});
