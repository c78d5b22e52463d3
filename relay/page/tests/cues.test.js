// The cues, from message to state.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Bindings } from '../state/bindings.js';
import { Cues } from '../state/cues.js';
import { Room } from '../state/room.js';
import { Variables } from '../state/variables.js';

const TEXTURE = { name: 'texture', hash: 'aa', bytes: 1, frames: 480_000, rate: 48_000, channels: 1 };

function welcome(changed = {}) {
  return {
    type: 'welcome',
    id: 7,
    epoch: '9f3a62c1d07be845',
    now: 0,
    sounds: [TEXTURE],
    default_sound: 'texture',
    machine: { rights: 'conductor' },
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
  const variables = new Variables();
  const cues = new Cues(room, new Bindings(variables));
  /** Applies a welcome; true if its epoch is new. */
  const enter = (changed) => {
    const isNewEpoch = room.welcome(welcome(changed));
    cues.welcome(welcome(changed), isNewEpoch);
    return isNewEpoch;
  };
  const active = () => [...cues].map(({ trigger }) => trigger.seq);
  return { room, cues, variables, enter, active };
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
  assert.equal(cues.trigger(trigger(1, { target: { names: ['lab-3'] } })), false);
  assert.equal(cues.size, 0);
  assert.equal(cues.trigger(trigger(2, { target: { names: ['lab-3', 'page-1'] } })), true);
});

test('after a rename, triggers are matched with the new name', () => {
  const { room, cues } = entered();
  room.name = 'balcony';
  assert.equal(cues.trigger(trigger(1, { target: { names: ['page-1'] } })), false);
  assert.equal(cues.trigger(trigger(2, { target: { names: ['balcony'] } })), true);
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
  const others = { trigger: trigger(4, { target: { names: ['lab-3'] } }) };
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

test('a cue that is older than the list of a welcome goes on', () => {
  const { room, cues, enter, active } = entered();
  for (const seq of [1, 2, 4, 6]) cues.trigger(trigger(seq));
  cues.stop(stop(3, { trigger: 2 }));
  room.disconnected();
  enter({ sounding: [{ trigger: trigger(5) }, { trigger: trigger(6) }], sounding_from: 4 });
  assert.deepEqual(active(), [1, 2, 5, 6], 'the fourth has ended meanwhile');
  assert.equal(cues.get(2).stopAt, 2_000_000);
  enter({ epoch: '0000000000000001', sounding_from: 4 });
  assert.deepEqual(active(), [], 'the numbers of another epoch say nothing');
});

test('a new epoch drops all cues and restarts the numbering', () => {
  const { cues, enter } = entered();
  cues.trigger(trigger(41));
  assert.equal(enter({ epoch: '0000000000000001' }), true);
  assert.equal(cues.size, 0);
  assert.equal(cues.trigger(trigger(1)), true);
});

test('a cue ends after its length at its rate, or when it is stopped', () => {
  for (const [changed, stopAt, end] of [
    [{}, undefined, 11_000_000],
    [{ rate: 2 }, undefined, 6_000_000],
    [{}, 2_000_000, 2_000_000],
    [{ sound: 'gone' }, undefined, 1_000_000],
    [{ sound: 'tone' }, undefined, 1_500_000],
    [{ sound: 'tone', rate: 4, tone: { duration_micros: 70_000, shape: 'saw' } }, undefined, 1_070_000],
  ]) {
    const { cues } = entered();
    cues.trigger(trigger(1, changed));
    cues.get(1).stopAt = stopAt;
    assert.equal(cues.get(1).isOver(end - 1), false, JSON.stringify(changed));
    assert.equal(cues.get(1).isOver(end), true, JSON.stringify(changed));
  }
});

test('a loop sounds until it is stopped, and shows where in the loop it is', () => {
  const { room, cues } = entered();
  const drone = { ...TEXTURE, name: 'drone', loop: { start: 48_000, end: 144_000 } };
  room.bank({ sounds: [drone], default_sound: 'drone' });
  cues.trigger(trigger(1, { sound: 'drone' }));
  const cue = cues.get(1);
  assert.deepEqual(cue.loop, { start: 1, end: 3 });
  cues.prune(1e12);
  assert.equal(cues.size, 1);
  // The position goes on; what is shown returns to the start of the loop.
  assert.ok(Math.abs(cue.positionAt(1_000_000 + 4_500_000) - 4.5) < 1e-9);
  const fresh = entered();
  fresh.room.bank({ sounds: [drone], default_sound: 'drone' });
  fresh.cues.trigger(trigger(1, { sound: 'drone' }));
  const { share, leftMicros } = fresh.cues.get(1).progressAt(5_500_000);
  assert.ok(Math.abs(share - 0.25) < 1e-9);
  assert.equal(leftMicros, Infinity);
  fresh.cues.stop(stop(2, { stop_at: 6_000_000 }));
  assert.equal(fresh.cues.get(1).isOver(6_000_000), true);
});

test('a target lists names, tags and clients, and excludes one', () => {
  const self = { id: 7, name: 'page-1', kind: 'page', tags: ['left', 'brass'] };
  for (const [target, isFor] of [
    [{}, true],
    [{ names: ['lab-3', 'page-1'] }, true],
    [{ names: ['lab-3'] }, false],
    [{ tags: ['right', 'brass'] }, true],
    [{ tags: ['right'] }, false],
    [{ clients: [7] }, true],
    [{ clients: [8], names: ['page-1'] }, true],
    [{ clients: [8] }, false],
    [{ except: 7 }, false],
    [{ except: 8 }, true],
    [{ names: ['page-1'], except: 7 }, false],
  ]) {
    const { cues, enter } = newRoom();
    enter({ clients: [self] });
    assert.equal(cues.trigger(trigger(1, { target })), isFor, JSON.stringify(target));
  }
});

test('a stagger delays by the place in the list of clients', () => {
  for (const [clients, startsAt] of [
    [[7, 2], 1_000_000],
    [[2, 7], 1_080_000],
    [[2, 5, 7, 9], 1_160_000],
  ]) {
    const { cues } = entered();
    cues.trigger(trigger(1, { target: { clients }, stagger_micros: 80_000 }));
    const cue = cues.get(1);
    assert.equal(cue.startsAt, startsAt);
    assert.equal(cue.isOver(startsAt + 9_999_999), false);
    assert.equal(cue.isOver(startsAt + 10_000_000), true);
  }
});

test('a trigger on arrival starts when it arrives', () => {
  const { cues } = entered();
  cues.trigger(trigger(1, { on_arrival: true }), 1_234_000);
  assert.deepEqual([cues.get(1).startsAt, cues.get(1).startsOnArrival], [1_234_000, true]);
  // Whoever comes later joins it where it is.
  const later = newRoom();
  later.enter({ sounding: [{ trigger: trigger(1, { on_arrival: true }) }] });
  assert.deepEqual([later.cues.get(1).startsAt, later.cues.get(1).startsOnArrival], [1_000_000, false]);
});

test('a stop with a larger number cancels what is still to come', () => {
  const { cues } = entered();
  cues.trigger(trigger(1, { play_at: 60_000_000 }));
  cues.trigger(trigger(3, { play_at: 60_000_000 }));
  cues.stop(stop(2));
  assert.deepEqual([cues.get(1).isCancelled, cues.get(3).isCancelled], [true, false]);
  cues.prune(2_000_000);
  assert.deepEqual([cues.has(1), cues.has(3)], [false, true]);
});

test('a variable that transposes a sound moves its position and its end', () => {
  const { cues, variables } = entered();
  const self = { id: 7, name: 'page-1', tags: [] };
  const bind = [{ parameter: 'semitones', sound: 'texture' }];
  const pitch = { name: 'pitch', type: 'float', min: -24, max: 24, default: 0, bind, value: 0 };
  variables.change({ declared: [pitch] });
  cues.trigger(trigger(1));
  const by = { id: 2, name: 'stage' };
  const octaveDown = { seq: 2, apply_at: 3_000_000, name: 'pitch', value: -12, by };
  variables.value(octaveDown, self);
  const cue = cues.get(1);
  assert.equal(cue.positionAt(3_000_000), 2);
  assert.equal(cue.positionAt(5_000_000), 3);
  // Eight seconds of sound are left at half the speed.
  assert.equal(cue.isOver(18_999_999), false);
  assert.equal(cue.isOver(19_000_001), true);
  assert.equal(cue.progressAt(5_000_000).leftMicros, 14_000_000);
  // The way up to a settled position stays, although the values on it are forgotten.
  cues.prune(16_000_000);
  variables.advance(30_000_000);
  assert.ok(Math.abs(cue.positionAt(17_000_000) - 9) < 1e-9);
});

test('the position of a tone is in cycles, and follows its frequency', () => {
  const { cues, variables } = entered();
  const self = { id: 7, name: 'page-1', tags: [] };
  const bind = [{ parameter: 'frequency' }];
  variables.change({
    declared: [{ name: 'f', type: 'float', min: 20, max: 2000, default: 440, bind, value: 220 }],
  });
  const tone = { duration_micros: 5_000_000, shape: 'sine' };
  cues.trigger(trigger(1, { sound: 'tone', rate: 2, tone }));
  cues.trigger(trigger(2, { sound: 'tone', tone: { ...tone, frequency: 300 } }));
  variables.value({ seq: 3, apply_at: 2_000_000, name: 'f', value: 880, over_micros: 1_000_000, by: { id: 2 } }, self);
  const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual}`);
  near(cues.get(1).positionAt(2_000_000), 440);
  // Two octaves up in one second, twice as fast.
  near(cues.get(1).positionAt(3_000_000), 440 + (2 * (880 - 220)) / (2 * Math.LN2));
  near(cues.get(2).positionAt(3_000_000), 600);
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
