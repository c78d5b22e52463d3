// When a context time is heard, and where a sound must be started: in virtual time.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OutputClock } from '../audio/output-clock.js';
import { earliestStart, place } from '../audio/placement.js';

const LATENCY = 0.035;

/** A context that began at local second 10, `ppm` fast, with readings like those of a browser. */
class Device {
  constructor({ ppm = 0, jitter = 0, wander = 0, report = (pair) => pair } = {}) {
    Object.assign(this, { rate: 1 + ppm * 1e-6, jitter, wander, report, state: 7, shift: 0 });
  }

  random() {
    this.state = (this.state * 48271) % 2147483647;
    return this.state / 2147483647;
  }

  /** What is truly heard at local second `now`. */
  heard(now) {
    return (now - 10) * this.rate - LATENCY + this.shift;
  }

  read(now) {
    const behind = this.random() * 0.01;
    return this.report({
      nowMicros: now * 1e6,
      // The mix moves on in blocks of 10 ms.
      mixSeconds: Math.ceil((this.heard(now) + LATENCY) * 100) / 100,
      heardSeconds:
        this.heard(now - behind) +
        this.jitter * (this.random() - 0.5) +
        this.wander * Math.sin((2 * Math.PI * now) / 8),
      heardAtMicros: (now - behind) * 1e6,
      latencySeconds: 0.032,
    });
  }
}

/** Reads `device` eight times a second; returns the worst error of the model from `since` on. */
function worstError(device, clock, { from = 12, since, until, onReading = () => {} }) {
  let worst = 0;
  for (let now = from; now < until; now += 0.125) {
    onReading(now);
    if (clock.ready && now >= since) {
      const soon = now + 0.05;
      worst = Math.max(worst, Math.abs(clock.contextAt(soon * 1e6) - device.heard(soon)));
    }
    clock.observe(device.read(now));
  }
  return worst;
}

test('a steady device is known to 0.1 ms within half a second', () => {
  for (const ppm of [0, 20, -20]) {
    const device = new Device({ ppm, jitter: 0.0002 });
    const worst = worstError(device, new OutputClock(), { since: 12.5, until: 60 });
    assert.ok(worst < 0.0001, String(worst));
  }
});

test('a device that drifts is followed', () => {
  const device = new Device({ ppm: 200, jitter: 0.001 });
  const clock = new OutputClock();
  const early = worstError(device, clock, { since: 12, until: 30 });
  assert.ok(early < 0.0015, String(early));
  const later = worstError(device, clock, { from: 30, since: 30, until: 120 });
  assert.ok(later < 0.0004, String(later));
});

test('a wandering reported latency is averaged', () => {
  for (const ppm of [0, 30, -30]) {
    const device = new Device({ ppm, jitter: 0.0002, wander: 0.0004 });
    const clock = new OutputClock();
    const early = worstError(device, clock, { since: 12.5, until: 27 });
    assert.ok(early < 0.0006, String(early));
    const later = worstError(device, clock, { from: 27, since: 42, until: 120 });
    assert.ok(later < 0.00025, String(later));
  }
});

test('a virtual device that drifts more than any crystal is followed in small steps', () => {
  for (const ppm of [1763, -1763]) {
    const device = new Device({ ppm, jitter: 0.0002 });
    const worst = worstError(device, new OutputClock(), { since: 15, until: 120 });
    assert.ok(worst < 0.003, String(worst));
  }
});

test('an apparent drift of some seconds is taken for wander', () => {
  const device = new Device({ jitter: 0.0002 });
  const clock = new OutputClock();
  worstError(device, clock, { since: 12, until: 20 });
  // The word of an overloaded machine, off by ever more.
  const begin = 20;
  device.report = (pair) => ({
    ...pair,
    heardSeconds: pair.heardSeconds - 300e-6 * (pair.nowMicros / 1e6 - begin),
  });
  const worst = worstError(device, clock, { from: begin, since: begin, until: begin + 3 });
  assert.ok(worst < 0.0003, String(worst));
});

test('context time and local time convert both ways', () => {
  const clock = new OutputClock();
  assert.equal(clock.settled, false);
  worstError(new Device({ ppm: 200 }), clock, { since: 12, until: 30 });
  assert.equal(clock.settled, true);
  assert.ok(Math.abs(clock.speed - 1.0002) < 5e-6);
  for (const local of [20e6, 30e6, 31e6]) {
    assert.ok(Math.abs(clock.localAt(clock.contextAt(local)) - local) < 0.01);
  }
});

test('single outliers change nothing', () => {
  const device = new Device({ jitter: 0.0002 });
  let reading = 0;
  device.report = (pair) => {
    reading += 1;
    return reading % 7 === 0 ? { ...pair, heardSeconds: pair.heardSeconds - 0.09 } : pair;
  };
  assert.ok(worstError(device, new OutputClock(), { since: 14, until: 60 }) < 0.0002);
});

test('after an underrun the estimate is right again within a second', () => {
  const device = new Device({ jitter: 0.0004 });
  const clock = new OutputClock();
  assert.ok(worstError(device, clock, { since: 14, until: 30 }) < 0.0004);
  device.shift = -0.0107;
  const worst = worstError(device, clock, { from: 30, since: 31, until: 60 });
  assert.ok(worst < 0.0005, String(worst));
});

test('readings of a stalled context are ignored', () => {
  const clock = new OutputClock();
  for (let now = 0; now < 1.5; now += 0.125) {
    clock.observe({ nowMicros: now * 1e6, mixSeconds: 0.0116, heardSeconds: 0.0004, heardAtMicros: 1 });
  }
  assert.equal(clock.ready, false);
  assert.equal(clock.latencyMicros, null);
});

test('without valid timestamps the output latency is used', () => {
  for (const report of [
    (pair) => ({ ...pair, heardSeconds: undefined, heardAtMicros: undefined }),
    (pair) => ({ ...pair, heardSeconds: 0, heardAtMicros: 0 }),
    (pair) => ({ ...pair, heardSeconds: 1e9 }),
    (pair) => ({ ...pair, heardAtMicros: Number.NaN }),
  ]) {
    const device = new Device({ report });
    // To a block of the device and the 3 ms that this one keeps to itself.
    assert.ok(worstError(device, new OutputClock(), { since: 14, until: 30 }) < 0.0131);
  }
});

test('a timestamp that ignores the latency is corrected', () => {
  const report = (pair) => ({ ...pair, heardSeconds: pair.heardSeconds + LATENCY });
  const device = new Device({ report });
  assert.ok(worstError(device, new OutputClock(), { since: 14, until: 30 }) < 0.0035);
});

test('the lead of the mix over the output has a median and a maximum', () => {
  const device = new Device({ jitter: 0.0002 });
  const clock = new OutputClock();
  worstError(device, clock, { since: 12, until: 30 });
  assert.ok(clock.latencyMicros >= 35_000 && clock.latencyMicros <= 45_000);
  assert.ok(clock.worstAheadMicros >= clock.latencyMicros && clock.worstAheadMicros <= 46_000);
});

test('a reset forgets all readings', () => {
  const clock = new OutputClock();
  worstError(new Device(), clock, { since: 12, until: 30 });
  clock.reset();
  assert.equal(clock.ready, false);
});

/** A sound of a second that is due at 5. */
const dueAt5 = (rate) => ({
  startSeconds: 5,
  positionAt: (seconds) => (seconds - 5) * rate,
  isOver: (seconds) => (seconds - 5) * rate >= 1,
});

test('a sound in time starts at its instant from its beginning', () => {
  assert.deepEqual(place(dueAt5(1), earliestStart(4.9, 48_000)), { when: 5, offset: 0, lateSeconds: 0 });
});

test('a late sound starts as soon as possible, at the position where it should be', () => {
  const quantum = 128 / 48_000;
  const { when, offset, lateSeconds } = place(dueAt5(1), earliestStart(5.5, 48_000));
  assert.equal(when, 5.5 + quantum);
  assert.ok(Math.abs(lateSeconds - (0.5 + quantum)) < 1e-12);
  assert.ok(Math.abs(offset - lateSeconds) < 1e-12);
});

test('the position of a late sound follows its rate', () => {
  const { offset, lateSeconds } = place(dueAt5(1.5), earliestStart(5.5, 48_000));
  assert.ok(Math.abs(offset - 1.5 * lateSeconds) < 1e-12);
});

test('a sound that is over is not started', () => {
  assert.equal(place(dueAt5(1), earliestStart(7, 48_000)), null);
  assert.equal(place(dueAt5(4), earliestStart(5.5, 48_000)), null);
});

test('the error bound holds with jitter and wander as measured in browsers', () => {
  for (const [jitter, wander] of [[0.0002, 0], [0.002, 0.0004], [0, 0.0004]]) {
    const device = new Device({ ppm: 20, jitter, wander });
    const clock = new OutputClock();
    assert.equal(clock.errorMicros, null);
    for (let now = 12; now < 90; now += 0.125) {
      if (clock.errorMicros !== null) {
        const error = Math.abs(clock.contextAt(now * 1e6) - device.heard(now)) * 1e6;
        assert.ok(error <= clock.errorMicros, `${error} of ${clock.errorMicros}`);
        assert.ok(clock.errorMicros < 2000, String(clock.errorMicros));
      }
      clock.observe(device.read(now));
    }
  }
});
