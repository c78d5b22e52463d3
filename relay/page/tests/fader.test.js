// Faders: positions and values, what a held one shows, and how often it sends.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { INTERVAL_MILLIS, SetStream } from '../session/set-stream.js';
import { formatValue, nudged, positionOf, rounded, valueAtPosition } from '../state/fader.js';
import { HeldValue } from '../state/held-value.js';

const LINEAR = { type: 'float', min: -12, max: 12 };
const LOGARITHMIC = { type: 'float', min: 20, max: 20_000, scale: 'logarithmic' };
const STEPPED = { type: 'float', min: -1, max: 1, step: 0.25 };
const INT = { type: 'int', min: 1, max: 9 };

const near = (actual, expected) =>
  assert.ok(Math.abs(actual - expected) < 1e-9 * Math.max(1, Math.abs(expected)), `${actual}, ${expected}`);

test('a position has a value, and the value that position', () => {
  near(valueAtPosition(LINEAR, 0.75), 6);
  near(valueAtPosition(LOGARITHMIC, 1 / 3), 200);
  for (const variable of [LINEAR, LOGARITHMIC]) {
    for (const position of [0, 0.1, 0.5, 1]) {
      const back = positionOf(variable, valueAtPosition(variable, position));
      assert.ok(Math.abs(back - position) < 1e-5);
    }
  }
  assert.deepEqual([-1, 2].map((position) => valueAtPosition(LINEAR, position)), [-12, 12]);
});

test('values are on steps, as the relay rounds them', () => {
  assert.deepEqual([rounded(STEPPED, 0.3), rounded(STEPPED, -0.9), rounded(INT, 3.6)], [0.25, -1, 4]);
  assert.deepEqual([nudged(STEPPED, 0, 1), nudged(INT, 9, 1), nudged(INT, 2, -1)], [0.25, 9, 1]);
  near(nudged(LINEAR, 0, 1), 0.24);
});

test('a value has the digits that its fader can tell apart', () => {
  assert.equal(formatValue(LINEAR, -3.46), '−3.5');
  assert.equal(formatValue(LINEAR, -0.01), '0.0');
  assert.equal(formatValue(LOGARITHMIC, 440), '440');
  assert.equal(formatValue(LOGARITHMIC, 27.5), '27.5');
  assert.equal(formatValue(STEPPED, 0.25), '0.3');
  assert.equal(formatValue(INT, 7), '7');
  assert.equal(formatValue(LINEAR, null), '–');
});

test('a held fader does not jump back, and settles on its own last value', () => {
  const fader = new HeldValue(0);
  fader.move(1);
  fader.receive(0.5, true, 10);
  assert.equal(fader.shown(10), 1);
  fader.move(2);
  fader.release(20);
  fader.receive(1, true, 30);
  assert.equal(fader.shown(30), 2, 'an older value of its own is on its way');
  fader.receive(2 + 4e-16, true, 40);
  fader.receive(7, false, 50);
  assert.equal(fader.shown(50), 7);
});

test('a control of objects settles on an equal one', () => {
  const field = new HeldValue({});
  field.move({ x: [1] });
  field.release(0);
  field.receive({ x: [1] }, true, 10);
  assert.equal(field.settlesAt, null);
});

test('after its release a fader gives way to others, to a refusal, and to time', () => {
  const released = () => {
    const fader = new HeldValue(0);
    fader.move(1);
    fader.release(0);
    return fader;
  };
  const overtaken = released();
  overtaken.receive(5, false, 10);
  assert.equal(overtaken.shown(10), 5);
  const refused = released();
  refused.refuse();
  assert.equal(refused.shown(10), 0);
  const lost = released();
  assert.deepEqual([lost.shown(999), lost.settlesAt, lost.shown(1000), lost.settlesAt], [1, 1000, 0, null]);
});

test('a fader sends fifty values a second at most, and always the last one', () => {
  const sent = [];
  const timers = [];
  let now = 0;
  const stream = new SetStream(
    ({ value }) => sent.push([now, value]),
    () => now,
    (run, millis) => timers.push({ run, at: now + millis }),
  );
  /** Runs the timers that are due. */
  const advance = (to) => {
    while (timers[0]?.at <= to) {
      now = timers[0].at;
      timers.shift().run();
    }
    now = to;
  };
  for (let at = 0; at < 1000; at += 1) {
    advance(at);
    stream.set({ name: 'x', value: at });
  }
  advance(2000);
  assert.deepEqual(sent[0], [0, 0]);
  assert.equal(sent.at(-1)[1], 999);
  assert.ok(sent.length <= 51);
  for (const [index, [at]] of sent.entries()) {
    if (index > 0) assert.ok(at - sent[index - 1][0] >= INTERVAL_MILLIS);
  }
  // Another variable does not wait for this one.
  stream.set({ name: 'x', value: 1 });
  stream.set({ name: 'y', value: 2 });
  assert.deepEqual(sent.slice(-2), [[2000, 1], [2000, 2]]);
});
