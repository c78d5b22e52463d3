// From cues to voices, with a simulated audio output that records its calls.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { VoiceScheduler } from '../session/voice-scheduler.js';
import { Cues } from '../state/cues.js';
import { Room } from '../state/room.js';

const SOUND = { name: 'texture', hash: 'aa', bytes: 1, frames: 480_000, rate: 48_000, channels: 1 };
const LATENCY = 0.03;

/** Relay time is local time plus a second; context time is local time less two. */
class World {
  local = 10;
  running = true;
  known = true;
  loaded = true;
  /** By how much relay time has stepped, in µs. */
  step = 0;
  started = [];
  ended = [];
  speeds = [];
  heard = [];
  missed = [];

  constructor() {
    const world = this;
    this.room = new Room('page-1');
    this.cues = new Cues(this.room);
    this.welcome();
    const audio = {
      get running() {
        return world.running;
      },
      get mixSeconds() {
        return world.local - 2;
      },
      sampleRate: 48_000,
      read: () => ({
        nowMicros: world.local * 1e6,
        mixSeconds: world.local - 2,
        heardSeconds: world.local - 2 - LATENCY,
        heardAtMicros: world.local * 1e6,
        latencySeconds: LATENCY,
      }),
      start: (buffer, placement, parameters, ended) => {
        const voice = { ...placement, gain: parameters.gain, ended };
        world.started.push(voice);
        return voice;
      },
      end: (voice, at) => world.ended.push({ voice, at }),
      setSpeed: (voice, speed, at) => world.speeds.push({ voice, speed, at }),
    };
    const clock = {
      estimate: () =>
        world.known
          ? {
              relayAt: (micros) => micros + 1e6 + world.step,
              localAt: (micros) => micros - 1e6 - world.step,
            }
          : null,
    };
    const bank = { request: () => (world.loaded ? { duration: 10 } : undefined) };
    this.scheduler = new VoiceScheduler(this.cues, clock, bank, audio, {
      started: ({ seq }, at) => world.heard.push([seq, at]),
      missed: ({ seq }) => world.missed.push(seq),
    });
  }

  welcome(changed = {}) {
    const message = {
      id: 7,
      epoch: '9f3a62c1d07be845',
      sounds: [SOUND],
      default_sound: 'texture',
      sounding: [],
      limits: { message_bytes: 16_384, min_lead_micros: 1, max_lead_micros: 500_000 },
      lead_micros: 1,
      ...changed,
    };
    const isNewEpoch = this.room.welcome(message);
    this.cues.welcome(message, isNewEpoch);
    return isNewEpoch;
  }

  /** Reads the output for a while, as the page does. */
  settle() {
    this.run(1.5);
  }

  /** Advances time by `seconds`. */
  run(seconds) {
    for (let elapsed = 0; elapsed < seconds; elapsed += 0.125) {
      this.local += 0.125;
      if (this.scheduler.readOutput()) this.scheduler.refresh();
      this.scheduler.steer();
    }
  }

  /** A trigger to be heard `seconds` from now. */
  trigger(seq, seconds) {
    this.cues.trigger(trigger(seq, (this.local + seconds + 1) * 1e6));
    this.scheduler.refresh();
  }
}

function trigger(seq, playAt) {
  const by = { id: 2, name: 'stage' };
  return { seq, play_at: Math.round(playAt), sound: 'texture', gain: 0.5, rate: 1, pan: 0, by };
}

const near = (actual, expected) =>
  assert.ok(Math.abs(actual - expected) < 1e-5, `${actual} is not ${expected}`);

test('a trigger sounds at its instant, through the output latency', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  const [voice] = world.started;
  near(voice.when, world.local + 0.2 - 2 - LATENCY);
  assert.deepEqual([voice.offset, voice.gain], [0, 0.5]);
  assert.deepEqual([world.scheduler.triggers, world.scheduler.late, world.scheduler.latenessMicros], [1, 0, 0]);
  near(world.heard[0][1] / 1e6, world.local + 0.2);
});

test('extra latency starts the sound earlier', () => {
  const world = new World();
  world.scheduler.extraLatencyMicros = 20_000;
  world.settle();
  world.trigger(1, 0.2);
  near(world.started[0].when, world.local + 0.2 - 2 - LATENCY - 0.02);
});

test('a late trigger is joined in the middle and counted', () => {
  const world = new World();
  world.settle();
  world.trigger(1, -1);
  const [voice] = world.started;
  const late = 1 + LATENCY + 128 / 48_000;
  near(voice.offset, late);
  near(voice.when, world.local - 2 + 128 / 48_000);
  assert.equal(world.scheduler.late, 1);
  near(world.scheduler.latenessMicros / 1e6, late);
});

for (const [what, lacks] of [
  ['the clock is not known', 'known'],
  ['the sound is not loaded', 'loaded'],
  ['the audio does not run', 'running'],
]) {
  test(`while ${what} a trigger waits, and is then joined`, () => {
    const world = new World();
    if (lacks !== 'running') world.settle();
    world[lacks] = false;
    world.trigger(1, 0.1);
    assert.equal(world.started.length, 0);
    world.local += 2;
    world[lacks] = true;
    if (lacks === 'running') world.settle();
    world.scheduler.refresh();
    world.scheduler.refresh();
    assert.equal(world.started.length, 1);
    assert.ok(world.started[0].offset > 1.5);
  });
}

test('a sound that is already over is not started, but counted as late', () => {
  const world = new World();
  world.settle();
  world.trigger(1, -11);
  world.scheduler.refresh();
  assert.equal(world.started.length, 0);
  assert.deepEqual(world.missed, [1]);
  assert.deepEqual([world.scheduler.triggers, world.scheduler.late], [1, 1]);
});

test('a stop ends the voice at its instant', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  const stopAt = Math.round((world.local + 3 + 1) * 1e6);
  const stop = { seq: 2, stop_at: stopAt, by: { id: 2, name: 'stage' } };
  for (const cue of world.cues.stop(stop)) world.scheduler.stop(cue);
  near(world.ended[0].at, world.local + 3 - 2 - LATENCY);
});

test('a stop before the start applies to the voice', () => {
  const world = new World();
  world.settle();
  const playAt = (world.local + 1 - 2) * 1e6;
  const stopAt = Math.round((world.local + 1 + 1) * 1e6);
  world.welcome({ sounding: [{ trigger: trigger(1, playAt), stop_at: stopAt }] });
  world.scheduler.refresh();
  assert.equal(world.started.length, 1);
  near(world.ended[0].at, world.local + 1 - 2 - LATENCY);
});

test('after a reconnection a voice goes on unless it was stopped meanwhile', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  world.trigger(2, 0.2);
  const still = world.cues.get(2).trigger;
  assert.equal(world.welcome({ sounding: [{ trigger: still }] }), false);
  world.scheduler.refresh();
  assert.equal(world.started.length, 2);
  assert.deepEqual(world.ended, [{ voice: world.started[0], at: 0 }]);
});

test('a new epoch ends all voices and restarts the numbering', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  assert.equal(world.welcome({ epoch: '0000000000000001' }), true);
  world.scheduler.reset();
  assert.equal(world.ended.length, 1);
  world.trigger(1, 0.2);
  assert.equal(world.started.length, 2);
});

test('a sound that has ended is not started again', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  world.started[0].ended();
  world.scheduler.refresh();
  world.scheduler.prune();
  world.scheduler.refresh();
  assert.equal(world.started.length, 1);
});

test('a voice on time keeps its speed', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  world.run(8);
  assert.deepEqual([world.speeds, world.started.length], [[], 1]);
});

test('a small error is closed by the speed', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  world.step = 1000;
  world.run(9);
  assert.equal(world.started.length, 1);
  assert.ok(world.speeds.length > 8);
  assert.ok(world.speeds.every(({ speed }) => speed > 0.999999 && speed < 1.000501));
  // The sum of the corrections is the error.
  const gained = world.speeds
    .slice(1)
    .map(({ at }, before) => (at - world.speeds[before].at) * (world.speeds[before].speed - 1));
  near(gained.reduce((sum, gain) => sum + gain, 0) / 10, 0.0001);
});

test('a large error makes the voice jump once, and its stop still applies', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  world.run(1);
  const stopAt = Math.round((world.local + 1 + 2) * 1e6);
  world.cues.stop({ seq: 2, stop_at: stopAt, by: { id: 2, name: 'stage' } });
  world.step = 300_000;
  world.run(1);
  assert.equal(world.started.length, 2);
  const [former, latter] = world.started;
  assert.equal(world.ended[0].voice, former);
  near(latter.when, world.ended[0].at);
  near(latter.offset, latter.when - former.when + 0.3);
  assert.equal(world.ended[1].voice, latter);
  near(world.ended[1].at, stopAt / 1e6 - 1 - 0.3 - 2 - LATENCY);
  // The end of the former voice is not the end of the sound.
  former.ended();
  world.cues.silence();
  world.scheduler.refresh();
  assert.equal(world.ended.at(-1).voice, latter);
  assert.equal(world.scheduler.triggers, 1);
});

test('a sound silenced here before it was decoded does not start after a reconnection', () => {
  const world = new World();
  world.settle();
  world.loaded = false;
  world.trigger(1, 0.2);
  const { trigger: sounding } = world.cues.get(1);
  world.room.disconnected();
  world.cues.silence();
  world.scheduler.refresh();
  world.scheduler.prune();
  world.loaded = true;
  // The relay was not reached, so it still lists the cue.
  assert.equal(world.welcome({ sounding: [{ trigger: sounding }] }), false);
  world.scheduler.refresh();
  assert.equal(world.started.length, 0);
  world.trigger(2, 0.2);
  assert.equal(world.started.length, 1, 'a later trigger sounds');
});

test('a voice silenced here does not start again after a reconnection', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  const { trigger: sounding } = world.cues.get(1);
  world.run(1);
  world.cues.silence();
  world.scheduler.refresh();
  world.scheduler.prune();
  assert.equal(world.ended.length, 1);
  world.welcome({ sounding: [{ trigger: sounding }] });
  world.scheduler.refresh();
  assert.equal(world.started.length, 1);
});
