// The clock estimator gives the same numbers as the desktop client's.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { ClockEstimator, tickMicros } from '../clock/estimator.js';

const file = new URL('../../../tests/vectors/clock.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8'));

function near(found, expected, tolerance, what) {
  assert.ok(Math.abs(found - expected) <= tolerance, `${what}: ${found}, not ${expected}`);
}

/** An exchange over a network that takes `there` and `back`, with a relay `ahead` of here. */
function exchange(sent, { ahead = 1e6, there = 100, back = 100 } = {}) {
  const received = Math.floor(sent + there + ahead);
  return { sent, received, replied: received, arrived: sent + there + back };
}

/** An estimator that has seen `count` exchanges, 20 ms apart. */
function synced(count = 16, network = {}) {
  const clock = new ClockEstimator();
  for (let i = 0; i < count; i += 1) clock.observe(exchange(i * 20_000, network));
  return clock;
}

describe('the vectors', () => {
  for (const { name, exchanges, checkpoints } of vectors.sequences) {
    test(name, () => {
      const clock = new ClockEstimator();
      let checked = 0;
      exchanges.forEach(([sent, received, replied, arrived], index) => {
        clock.probeSent(sent);
        clock.observe({ sent, received, replied, arrived });
        const wanted = checkpoints.find((c) => c.after === index + 1);
        if (!wanted) return;
        checked += 1;
        const at = `after ${wanted.after}`;
        const micros = vectors.tolerance_micros;
        near(clock.nextProbeAt(arrived), wanted.next_probe, micros, `${at}: next probe`);
        const estimate = clock.estimate();
        assert.equal(estimate === null, wanted.relay === undefined, `${at}: whether there is one`);
        if (!estimate) return;
        near(estimate.relayAt(wanted.local), wanted.relay, micros, `${at}: relay time`);
        near(estimate.localAt(wanted.relay), wanted.local, micros, `${at}: local time`);
        near(estimate.driftPpm, wanted.drift_ppm, vectors.tolerance_ppm, `${at}: drift`);
        near(estimate.errorMicros(wanted.local), wanted.error, micros, `${at}: error bound`);
      });
      assert.equal(checked, checkpoints.length);
    });
  }
});

describe('estimating', () => {
  test('gives no estimate before the fourth exchange, nor after a reset', () => {
    assert.equal(synced(3).estimate(), null);
    const clock = synced(4);
    assert.notEqual(clock.estimate(), null);
    clock.reset();
    assert.equal(clock.estimate(), null);
  });

  test('ignores impossible exchanges', () => {
    const clock = synced();
    const before = clock.estimate();
    const good = exchange(1e6);
    for (const wrong of [
      { ...good, arrived: good.sent - 1 },
      { ...good, replied: good.received - 1 },
      { ...good, replied: good.received + 10_000 },
      { ...good, replied: 1e16, arrived: 2e16 },
      { ...good, sent: NaN },
      { ...good, received: NaN },
      { ...good, replied: undefined },
      { ...good, arrived: null },
    ]) {
      clock.observe(wrong);
      assert.equal(clock.estimate(), before);
    }
  });

  test('the error bound includes half the shortest round trip, and grows with age', () => {
    const estimate = synced(16, { there: 3000, back: 1000 }).estimate();
    const now = 15 * 20_000 + 4000;
    const error = Math.abs(estimate.relayAt(now) - (now + 1e6));
    assert.ok(error >= 990 && error <= 1010, `the lopsided network costs 1 ms, not ${error} us`);
    assert.ok(estimate.errorMicros(now) >= 2000);
    assert.ok(estimate.errorMicros(now + 60e6) > estimate.errorMicros(now));
  });
});

describe('pacing', () => {
  /** The times at which probes go out between two times, answered at once. */
  function probes(clock, from, to) {
    const times = [];
    for (let now = clock.nextProbeAt(from); now < to; now = clock.nextProbeAt(now)) {
      clock.probeSent(now);
      clock.observe(exchange(now));
      times.push(now);
    }
    return times;
  }

  test('begins with a burst and relaxes to one a second', () => {
    const clock = new ClockEstimator();
    const times = probes(clock, 5e6, 35e6);
    const gaps = times.slice(1).map((time, i) => time - times[i]);
    assert.equal(times[0], 5e6);
    assert.deepEqual(gaps.slice(0, 15), Array(15).fill(20_000));
    assert.ok(gaps.slice(15).every((gap) => gap >= 250_000 - 1 && gap <= 1_000_000 + 1));
    near(gaps.at(-1), 1_000_000, 1, 'the last gap');
  });

  test('bursts again on request, after sleep, and after a jump of the clock', () => {
    for (const disturb of [
      (clock) => clock.burst(),
      (clock) => clock.probeSent(50e6),
      (clock) => clock.observe(exchange(35e6, { ahead: 61e6 })),
    ]) {
      const clock = new ClockEstimator();
      probes(clock, 5e6, 35e6);
      disturb(clock);
      const [first, second] = probes(clock, 51e6, 52e6);
      assert.equal(first, 51e6);
      assert.equal(second - first, 20_000);
    }
  });
});

describe('a coarse clock', () => {
  test('its resolution is measured', () => {
    let reads = 0;
    const clock = () => Math.floor((reads++ * 7) / 1000) * 1000;
    assert.equal(tickMicros(clock), 1000);
  });

  test('stays within its error bound', () => {
    const clock = new ClockEstimator(1000);
    const down = (time) => Math.floor(time / 1000) * 1000;
    for (let i = 0; i < 200; i += 1) {
      const { sent, received, replied, arrived } = exchange(i * 100_137.3, { ahead: 1e6 + 50 });
      clock.observe({ sent: down(sent), received, replied, arrived: down(arrived) });
      const now = arrived + 10_000;
      const estimate = clock.estimate();
      if (!estimate) continue;
      const error = Math.abs(estimate.relayAt(now) - (now + 1e6 + 50));
      assert.ok(error <= estimate.errorMicros(now), `${error} us at ${i}`);
    }
  });
});
