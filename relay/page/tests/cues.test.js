// The cues, from message to state.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Cues, endOf } from '../state/cues.js';
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
    limits: { message_bytes: 16_384, min_lead_micros: 5000, max_lead_micros: 500_000 },
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

/** A room with its cues, before the welcome. */
function newRoom() {
  const room = new Room('page-1');
  const cues = new Cues(room);
  /** Applies a welcome; true if its epoch is new. */
  const enter = (changed) => {
    const isNewEpoch = room.welcome(welcome(changed));
    cues.welcome(welcome(changed), isNewEpoch);
    return isNewEpoch;
  };
  const active = () => [...cues].map(({ trigger }) => trigger.seq);
  return { room, cues, enter, active };
}

function entered() {
  const world = newRoom();
  world.enter();
  return world;
}

test('a duplicate trigger is ignored', () => {
  const { cues, active } = entered();
  assert.equal(cues.trigger(trigger(1)), true);
  assert.equal(cues.trigger(trigger(1)), false);
  assert.deepEqual(active(), [1]);
});

test('a changed bank leaves the length of sounding cues unchanged', () => {
  const { room, cues, enter, active } = entered();
  cues.trigger(trigger(1));
  const bell = { ...TEXTURE, name: 'bell', hash: 'bb', frames: 48_000 };
  room.bank({ type: 'bank', sounds: [bell], default_sound: 'bell' });
  // Ten seconds of texture, although the bank no longer has it: also after a reconnection.
  cues.prune(10_999_999);
  assert.deepEqual(active(), [1]);
  enter({ sounds: [bell], sounding: [{ trigger: trigger(1) }], default_sound: 'bell' });
  cues.prune(10_999_999);
  assert.deepEqual(active(), [1]);
  cues.prune(11_000_000);
  assert.equal(cues.size, 0);
  // A new trigger plays the sound of the new bank.
  cues.trigger(trigger(2, { sound: 'bell', play_at: 11_000_000 }));
  cues.prune(12_000_000);
  assert.equal(cues.size, 0);
});

test('an overtaken trigger is taken, one far behind is not', () => {
  const { cues } = entered();
  cues.trigger(trigger(5000));
  assert.equal(cues.trigger(trigger(4999)), true);
  assert.equal(cues.trigger(trigger(17)), false);
});

test('cues that are over are dropped', () => {
  const { cues } = entered();
  for (let seq = 1; seq <= 100_000; seq += 1) {
    cues.trigger(trigger(seq, { play_at: seq * 1000 }));
    if (seq % 100 === 0) cues.prune(seq * 1000);
  }
  assert.ok(cues.size <= 10_100);
  cues.prune(1e12);
  assert.equal(cues.size, 0);
});

test('a trigger for other clients is no cue', () => {
  const { cues } = entered();
  assert.equal(cues.trigger(trigger(1, { target: ['lab-3'] })), false);
  assert.equal(cues.size, 0);
  assert.equal(cues.trigger(trigger(2, { target: ['lab-3', 'page-1'] })), true);
});

test('after a rename, triggers are matched with the new name', () => {
  const { room, cues } = entered();
  room.name = 'balcony';
  assert.equal(cues.trigger(trigger(1, { target: ['page-1'] })), false);
  assert.equal(cues.trigger(trigger(2, { target: ['balcony'] })), true);
});

test('a stop ends one trigger, one sound, or everything before it', () => {
  const others = { by: { id: 1, name: 'a' } };
  for (const [fields, ended] of [
    [{ trigger: 2 }, [2]],
    [{ sound: 'bell' }, [3]],
    [{ sound: 'texture' }, [1, 2]],
    [{}, [1, 2, 3]],
    [{ trigger: 3, sound: 'texture' }, []],
  ]) {
    const { cues } = entered();
    cues.trigger(trigger(1, others));
    cues.trigger(trigger(2));
    cues.trigger(trigger(3, { sound: 'bell' }));
    cues.trigger(trigger(5));
    const seqs = cues.stop(stop(4, fields)).map((cue) => cue.trigger.seq);
    assert.deepEqual(seqs, ended, JSON.stringify(fields));
    for (const seq of ended) assert.equal(cues.get(seq).stopAt, 2_000_000);
  }
});

test('of two stops the earlier one counts', () => {
  const { cues } = entered();
  cues.trigger(trigger(1));
  cues.stop(stop(2));
  cues.stop(stop(3, { stop_at: 3_000_000 }));
  assert.equal(cues.get(1).stopAt, 2_000_000);
});

test('a welcome contains the cues to join', () => {
  const { cues, enter, active } = newRoom();
  const own = { trigger: trigger(3), stop_at: 1_500_000 };
  const others = { trigger: trigger(4, { target: ['lab-3'] }) };
  assert.equal(enter({ sounding: [own, others] }), true);
  assert.deepEqual(active(), [3]);
  assert.equal(cues.get(3).stopAt, 1_500_000);
  assert.equal(cues.trigger(trigger(3)), false);
});

test('a cue that was stopped during a disconnection is dropped and not started again', () => {
  const { room, cues, enter, active } = entered();
  cues.trigger(trigger(1));
  cues.trigger(trigger(2));
  room.disconnected();
  assert.equal(enter({ sounding: [{ trigger: trigger(2) }] }), false);
  assert.deepEqual(active(), [2]);
  assert.equal(cues.trigger(trigger(1)), false);
});

test('a new epoch drops all cues and restarts the numbering', () => {
  const { cues, enter } = entered();
  cues.trigger(trigger(41));
  assert.equal(enter({ epoch: '0000000000000001' }), true);
  assert.equal(cues.size, 0);
  assert.equal(cues.trigger(trigger(1)), true);
});

test('a cue ends after its length at its rate, or when it is stopped', () => {
  const sound = TEXTURE;
  assert.equal(endOf({ trigger: trigger(1), sound }), 11_000_000);
  assert.equal(endOf({ trigger: trigger(1, { rate: 2 }), sound }), 6_000_000);
  assert.equal(endOf({ trigger: trigger(1), sound, stopAt: 2_000_000 }), 2_000_000);
  assert.equal(endOf({ trigger: trigger(1, { sound: 'gone' }) }), 1_000_000);
});

test('cues silenced on this machine do not return within the epoch', () => {
  const { cues, enter, active } = entered();
  cues.trigger(trigger(1));
  cues.trigger(trigger(3));
  cues.silence();
  assert.equal(cues.size, 0);
  assert.equal(cues.trigger(trigger(2)), false, 'it was triggered before the stop');
  const sounding = [1, 3, 4].map((seq) => ({ trigger: trigger(seq) }));
  enter({ sounding });
  assert.deepEqual(active(), [4], 'a trigger during the disconnection was never silenced here');
  enter({ epoch: '0000000000000001', sounding: [{ trigger: trigger(1) }] });
  assert.deepEqual(active(), [1], 'another epoch has its own numbers');
});
