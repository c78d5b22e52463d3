// From cues to voices, with a simulated audio output that records its calls.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isLevel, travel, valueAt } from '../automation/line.js';
import { VoiceScheduler } from '../session/voice-scheduler.js';
import { Bindings } from '../state/bindings.js';
import { Cues } from '../state/cues.js';
import { Room } from '../state/room.js';
import { Variables } from '../state/variables.js';

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
  followed = [];
  volumes = [];
  stolen = [];
  heard = [];
  missed = [];

  constructor() {
    const world = this;
    this.room = new Room('page-1');
    this.variables = new Variables();
    const bindings = new Bindings(this.variables);
    this.cues = new Cues(this.room, bindings);
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
      start: (content, placement, parameters, ended) => {
        const { speed, bend, pan } = parameters;
        const gain = parameters.gain[0].start;
        const voice = { ...placement, content, initialSpeed: speed, gain, bend, pan, ended };
        voice.end = (at) => world.ended.push({ voice, at });
        voice.setSpeed = (changed, at) => world.speeds.push({ voice, speed: changed, at });
        voice.follow = (lines, from) => {
          if (Object.keys(lines).length > 0) world.followed.push({ voice, lines, from });
        };
        world.started.push(voice);
        return voice;
      },
      followVolume: (line, from) => world.volumes.push({ line, from }),
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
    const bank = {
      request: () => (world.loaded ? { duration: 10 } : undefined),
      isReady: () => world.loaded,
    };
    this.scheduler = new VoiceScheduler(this.cues, bindings, clock, bank, audio, {
      started: ({ seq }, at, lateness) => world.heard.push([seq, at, lateness]),
      missed: ({ seq }) => world.missed.push(seq),
      stolen: ({ seq }) => world.stolen.push(seq),
    });
  }

  welcome(changed = {}) {
    const message = {
      id: 7,
      epoch: '9f3a62c1d07be845',
      sounds: [SOUND],
      default_sound: 'texture',
      machine: { rights: 'conductor' },
      sounding: [],
      limits: { message_bytes: 16_384, min_lead_micros: 1, max_lead_micros: 500_000 },
      lead_micros: 1,
      clients: [],
      variables: [],
      total: 1,
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
  trigger(seq, seconds, changed = {}) {
    const message = { ...trigger(seq, (this.local + seconds + 1) * 1e6), ...changed };
    this.cues.trigger(message, (this.local + 1) * 1e6);
    this.scheduler.refresh();
  }

  /** Relay time so many seconds from now, in µs. */
  relayIn(seconds) {
    return Math.round((this.local + seconds + 1) * 1e6);
  }

  /** Context time that is heard so many seconds from now. */
  contextIn(seconds) {
    return this.local + seconds - 2 - LATENCY;
  }

  /** Declares a variable `x` that is bound to `parameter`. */
  bind(parameter, value, sound) {
    const range = { min: parameter === 'frequency' ? 20 : -24, max: 2000, default: 440 };
    const declared = [{ name: 'x', type: 'float', ...range, bind: [{ parameter, sound }], value }];
    this.variables.change({ declared });
    this.scheduler.followVariables();
  }

  /** Sets it `seconds` from now. */
  set(seq, seconds, value, overMicros = 0) {
    const at = this.relayIn(seconds);
    const change = { seq, apply_at: at, name: 'x', value, over_micros: overMicros, by: { id: 2 } };
    this.variables.value(change, this.room.address);
    this.scheduler.followVariables();
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

test('after a reconnection a voice that is older than the list of the welcome goes on', () => {
  const world = new World();
  world.settle();
  for (const seq of [1, 2]) world.trigger(seq, 0.2);
  world.welcome({ sounding: [{ trigger: world.cues.get(2).trigger }], sounding_from: 2 });
  world.scheduler.refresh();
  assert.deepEqual([world.started.length, world.ended], [2, []]);
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

test('a stop before its start cancels a trigger silently', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 60);
  assert.equal(world.started.length, 0, 'it waits');
  world.cues.stop({ seq: 2, stop_at: world.relayIn(0.1), by: { id: 2, name: 'stage' } });
  world.scheduler.refresh();
  world.run(61);
  assert.deepEqual([world.started.length, world.missed, world.scheduler.triggers], [0, [], 0]);
});

test('a voice is created a second before its start at most', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 5);
  const startsAt = world.contextIn(5);
  world.run(3.5);
  assert.equal(world.started.length, 0);
  world.run(1);
  assert.equal(world.started.length, 1);
  near(world.started[0].when, startsAt);
  assert.equal(world.scheduler.late, 0);
});

test('a staggered trigger sounds later', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2, { target: { clients: [3, 7] }, stagger_micros: 300_000 });
  near(world.started[0].when, world.contextIn(0.5));
});

test('a trigger on arrival starts at once, from its start, and is never late', () => {
  const world = new World();
  world.settle();
  world.trigger(1, -0.4, { on_arrival: true });
  const [voice] = world.started;
  near(voice.when, world.local - 2 + 128 / 48_000);
  assert.deepEqual([voice.offset, world.scheduler.late, world.scheduler.latenessMicros], [0, 0, 0]);
  // It is heard after the latency of the output, and stays where it started.
  near(world.heard[0][1] / 1e6, world.local + LATENCY + 128 / 48_000);
  world.run(4);
  assert.deepEqual([world.speeds, world.started.length], [[], 1]);
});

test('a loop repeats what its sound says', () => {
  const world = new World();
  world.settle();
  world.welcome({ sounds: [{ ...SOUND, loop: { start: 48_000, end: 96_000 } }] });
  world.trigger(1, -25);
  const [voice] = world.started;
  assert.deepEqual(voice.content.loop, { start: 1, end: 2 });
  near(voice.offset, 25 + LATENCY + 128 / 48_000);
});

test('a tone starts on its instant, and in its phase if it is late', () => {
  const world = new World();
  world.settle();
  const tone = { frequency: 220, duration_micros: 2_000_000, shape: 'saw' };
  world.trigger(1, 0.2, { sound: 'tone', tone, rate: 2 });
  world.trigger(2, -0.5, { sound: 'tone', tone });
  world.trigger(3, -2, { sound: 'tone', tone });
  const [onTime, late] = world.started;
  near(onTime.content.startSeconds, world.contextIn(0.2));
  assert.deepEqual([onTime.offset, onTime.initialSpeed, onTime.content.lengthSeconds], [0, 440, 2]);
  near(late.content.startSeconds, world.contextIn(-0.5));
  assert.ok(Math.abs(late.offset - 220 * (0.5 + LATENCY + 128 / 48_000)) < 0.01);
  assert.deepEqual([late.content.shape, world.missed], ['saw', [3]]);
});

test('a tone without a frequency has that of the variables', () => {
  const world = new World();
  world.settle();
  world.bind('frequency', 880);
  world.trigger(1, 0.2, { sound: 'tone' });
  world.trigger(2, 0.2, { sound: 'tone', tone: { frequency: 300, duration_micros: 1e6, shape: 'sine' } });
  const [bound, named] = world.started;
  assert.deepEqual([bound.initialSpeed, valueAt(bound.bend, 0)], [440, 1200]);
  assert.deepEqual([named.initialSpeed, valueAt(named.bend, 0)], [300, 0]);
});

test('a variable bends a sounding voice at its instant', () => {
  const world = new World();
  world.settle();
  world.bind('gain_db', 0, 'texture');
  world.trigger(1, 0.2);
  world.run(1);
  world.followed.length = 0;
  world.set(2, 0.05, -20, 500_000);
  const [{ lines, from }] = world.followed;
  assert.deepEqual(Object.keys(lines), ['gain']);
  near(from, world.local - 2 + 128 / 48_000);
  const at = world.contextIn(0.05);
  near(valueAt(lines.gain, at), 0.5);
  near(valueAt(lines.gain, at + 0.25), 0.5 * 0.55);
  near(valueAt(lines.gain, at + 0.5), 0.05);
});

test('a value that is pending is scheduled again as the clock becomes more exact', () => {
  const world = new World();
  world.settle();
  world.bind('pan', 0, 'texture');
  world.trigger(1, 0.2);
  world.set(2, 3, 1, 100_000);
  const before = world.followed.length;
  world.step = 2000;
  world.run(2);
  assert.ok(world.followed.length > before + 10);
  const { lines } = world.followed.at(-1);
  near(valueAt(lines.pan, world.contextIn(1 - 0.002 + 0.05)), 0.5);
  world.run(2);
  const settled = world.followed.length;
  world.run(2);
  assert.equal(world.followed.length, settled, 'nothing is left to come');
});

test('a glide of the pitch moves the voice as far as it is due, and is not corrected', () => {
  const world = new World();
  world.settle();
  world.bind('semitones', 0, 'texture');
  world.trigger(1, 0.2);
  world.run(1);
  const [voice] = world.started;
  world.set(2, 0.1, 12, 2_000_000);
  // The voice really follows what was scheduled.
  const { lines, from } = world.followed.at(-1);
  voice.bend = lines.bend;
  assert.ok(from < world.contextIn(0.1));
  world.run(3);
  assert.deepEqual(world.speeds, []);
  const position = travel(voice.bend, voice.when, world.contextIn(0));
  near(position, world.cues.get(1).positionAt(world.relayIn(0)));
  // A step at once is at the nearest render quantum: what that is off is closed.
  world.set(3, 0.1, -5);
  voice.bend = world.followed.at(-1).lines.bend;
  const step = voice.bend.at(-1).from;
  near((step * 48_000) / 128, Math.round((step * 48_000) / 128));
  assert.ok(Math.abs(step - world.contextIn(0.1)) < 64.1 / 48_000);
});

test('a voice that joins during a glide starts where it is due', () => {
  const world = new World();
  world.settle();
  world.bind('semitones', 0, 'texture');
  world.loaded = false;
  world.trigger(1, 0.2);
  world.set(2, 0.2, 12);
  world.run(2.2);
  world.loaded = true;
  world.scheduler.refresh();
  near(world.started[0].offset, 2 * (2.05 + LATENCY + 128 / 48_000));
});

test('the volume of the machine follows its variables', () => {
  const world = new World();
  world.settle();
  world.bind('volume_db', 0);
  world.volumes.length = 0;
  world.set(2, 0.1, -20, 100_000);
  const [{ line }] = world.volumes;
  near(valueAt(line, world.contextIn(0.1)), 1);
  near(valueAt(line, world.contextIn(0.2)), 0.1);
  world.variables.change({ removed: ['x'] });
  world.scheduler.followVariables();
  assert.ok(isLevel(world.volumes.at(-1).line));
});

test('a voice that is ended for another one is reported', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  world.started[0].ended(true);
  assert.deepEqual([world.stolen, world.scheduler.has(1)], [[1], false]);
});

test('a start is told with its lateness, which is none within the resolution of the clocks', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  world.trigger(2, -0.5);
  assert.deepEqual(world.heard.map(([seq]) => seq), [1, 2]);
  assert.equal(world.heard[0][2], 0);
  assert.ok(Math.abs(world.heard[1][2] - 540_000) < 20_000, String(world.heard[1][2]));
});

test('after a restart of the output what sounds is joined in the middle, and not counted again', () => {
  const world = new World();
  world.settle();
  world.trigger(1, 0.2);
  world.run(2);
  world.scheduler.restart();
  assert.equal(world.ended.length, 1);
  assert.equal(world.started.length, 1, 'not before the new output has been read');
  world.settle();
  const [, again] = world.started;
  near(again.offset, again.when - (world.started[0].when));
  assert.deepEqual([world.scheduler.triggers, world.scheduler.late, world.heard.length], [1, 0, 1]);
});

test('why a trigger does not sound', () => {
  const world = new World();
  const why = (seq) => world.scheduler.whyNot({ seq, sound: 'texture' });
  world.running = false;
  world.trigger(1, 0.1);
  assert.equal(why(1), 'no_output');
  world.running = true;
  world.settle();
  world.known = false;
  assert.equal(why(1), 'no_clock');
  world.known = true;
  world.loaded = false;
  world.trigger(2, 0.1);
  assert.equal(why(2), 'not_ready');
  world.cues.stop({ seq: 3, stop_at: 0 });
  assert.equal(why(2), null, 'a stop has cancelled it');
  world.trigger(4, 0.1);
  world.cues.silence();
  assert.equal(why(4), null, 'it was silenced here');
});
