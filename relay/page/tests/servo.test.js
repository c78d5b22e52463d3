// The servo, in virtual time.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Servo, changeTime } from '../audio/servo.js';
import { glide, level, splice, travel } from '../automation/line.js';

/**
 * Plays for `until` seconds of context time, steered eight times a second. Relay time runs `ppm` faster
 * than the device, whose readings are off by up to `noise` seconds.
 *
 * @returns {{gaps: number[], speeds: number[], jumps: number}} the true error of the voice
 */
function play({ ppm = 0, ahead = 0, rate = 1, noise = 0, until = 60 }) {
  const servo = new Servo({ when: 0, offset: ahead * rate }, rate, level(0));
  const drift = ppm * 1e-6;
  const [gaps, speeds] = [[], []];
  let jumps = 0;
  let state = 7;
  for (let at = 0.125; at < until; at += 0.125) {
    state = (state * 48271) % 2147483647;
    const error = noise * (2 * (state / 2147483647) - 1);
    const due = at * (1 + drift) * rate;
    const { jump, speed } = servo.steer(at, due + error * rate, drift);
    if (jump) jumps += 1;
    if (speed !== null) speeds.push(speed / rate);
    gaps.push((due - servo.positionAt(at)) / rate);
  }
  return { gaps, speeds, jumps };
}

const worst = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

test('a voice on time keeps its exact speed', () => {
  const { speeds, jumps } = play({ noise: 0.0002 });
  assert.deepEqual([speeds, jumps], [[], 0]);
});

test('an error is closed within seconds, without overshoot, and by no more than 500 ppm', () => {
  for (const ahead of [0.001, -0.001]) {
    const { gaps, speeds, jumps } = play({ ahead });
    assert.ok(worst(gaps.slice(8 * 10)) < 50e-6);
    assert.ok(worst(speeds.map((speed) => speed - 1)) < 500.1e-6);
    assert.ok(gaps.every((gap) => gap * -ahead > -20e-6 * Math.abs(ahead)));
    assert.equal(jumps, 0);
  }
});

for (const rate of [0.25, 1, 4]) {
  test(`ten minutes on a device 160 ppm off stay together, at rate ${rate}`, () => {
    const { gaps, jumps } = play({ ppm: -160, rate, until: 600 });
    assert.ok(worst(gaps) < 0.00035);
    assert.ok(worst(gaps.slice(8 * 30)) < 100e-6);
    assert.equal(jumps, 0);
  });
}

test('a large drift of a sound server is followed', () => {
  const { gaps, speeds } = play({ ppm: -1763, until: 120 });
  assert.ok(worst(gaps.slice(8 * 30)) < 100e-6);
  // Relative to relay time, the pitch is never off by more than 500 ppm.
  assert.ok(worst(speeds.map((speed) => speed / (1 - 1763e-6) - 1)) < 501e-6);
});

test('noise in the readings is inaudible', () => {
  const { gaps, speeds } = play({ ppm: 50, noise: 0.001, until: 300 });
  const late = speeds.slice(8 * 30);
  assert.ok(worst(gaps.slice(8 * 30)) < 0.0004);
  assert.ok(worst(late.slice(1).map((speed, at) => speed - late[at])) < 300e-6);
});

test('only what is more than 50 ms off jumps', () => {
  const servo = () => new Servo({ when: 0, offset: 0 }, 2, level(0));
  assert.equal(servo().steer(1, 2 * 1.049, 0).jump, false);
  assert.equal(servo().steer(1, 2 * 1.051, 0).jump, true);
  assert.equal(servo().steer(1, 2 * 0.949, 0).jump, true);
});

test('what has not begun is let be', () => {
  const servo = new Servo({ when: 5, offset: 0 }, 1, level(0));
  assert.deepEqual(servo.steer(4, -1, 0), { jump: false, speed: null });
});

test('a change holds from the start of a quantum, soon but not at once', () => {
  for (const mix of [0, 0.001, 3.7, 1000.123]) {
    const at = changeTime(mix, 44_100);
    const quanta = (at * 44_100) / 128;
    assert.ok(Math.abs(quanta - Math.round(quanta)) < 1e-6);
    assert.ok(at >= mix + 0.03 && at < mix + 0.033);
  }
});

test('a glide is not corrected: the way that it makes is due', () => {
  // An octave up within two seconds, and down again at once, while relay time is 50 ppm faster.
  const drift = 50e-6;
  const inRelayTime = glide(glide(level(0), 3, 2, 1200), 9, 0, -1200);
  const inContext = inRelayTime.map((segment) => ({
    ...segment,
    from: segment.from / (1 + drift),
    to: segment.to / (1 + drift),
  }));
  const servo = new Servo({ when: 0, offset: 0 }, 1, inContext);
  for (let at = 0.125; at < 30; at += 0.125) {
    const due = travel(inRelayTime, 0, at * (1 + drift));
    const { speed } = servo.steer(at, due, drift);
    if (speed !== null) assert.ok(Math.abs(speed - 1 - drift) < 350e-6, `${speed} at ${at}`);
    assert.ok(Math.abs(due - servo.positionAt(at)) < 0.0007);
  }
});

test('a transposition that changes just before a scheduled speed is counted', () => {
  const servo = new Servo({ when: 0, offset: 0 }, 1, level(0));
  // Steered to a new speed from 1 on.
  servo.steer(1, 1.01, 0);
  const [before, after] = [servo.positionAt(0.98), servo.positionAt(1.1) - servo.positionAt(1)];
  servo.bend(splice(level(0), level(1200), 0.98), 0.98);
  assert.ok(Math.abs(servo.positionAt(0.98) - before) < 1e-9);
  assert.ok(Math.abs(servo.positionAt(1) - (before + 0.04)) < 1e-9);
  assert.ok(Math.abs(servo.positionAt(1.1) - servo.positionAt(1) - 2 * after) < 1e-9);
});
