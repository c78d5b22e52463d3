// The variables and what they drive, in virtual time.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isLevel, level, valueAt } from '../automation/line.js';
import { Bindings, amplitudeOf } from '../state/bindings.js';
import { Variables, accepts } from '../state/variables.js';

const SELF = { id: 7, name: 'page-1', tags: ['left'] };
const BY = { id: 2, name: 'stage' };

const FLOAT = { name: 'x', type: 'float', min: -12, max: 12, default: 0 };

function declared(...states) {
  const variables = new Variables();
  variables.change({ declared: states.map((state) => ({ ...FLOAT, value: 0, ...state })) });
  return variables;
}

let lastSeq = 100;
/** A value of `x`, with the next number unless one is given. */
function value(variables, at, value, more = {}) {
  lastSeq += 1;
  return variables.value({ seq: lastSeq, apply_at: at, name: 'x', value, by: BY, ...more }, SELF);
}

const near = (actual, expected) =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);

test('a value takes effect at its instant, and not before', () => {
  const variables = declared({});
  assert.equal(value(variables, 1000, 5), true);
  assert.deepEqual([variables.nextAt, variables.valueOf('x')], [1000, 0]);
  assert.deepEqual(variables.advance(999), []);
  assert.deepEqual(variables.advance(1000), [{ name: 'x', value: 5, by: 2 }]);
  assert.deepEqual([variables.nextAt, variables.valueOf('x')], [Infinity, 5]);
  assert.deepEqual(variables.advance(2000), []);
});

test('pending values take effect one after the other', () => {
  const variables = declared({});
  value(variables, 1000, 1);
  value(variables, 3000, 3);
  const applied = variables.advance(5000).map(({ value }) => value);
  assert.deepEqual(applied, [1, 3]);
});

test('a larger number replaces what is pending for the same time or later', () => {
  const variables = declared({});
  value(variables, 5000, 5);
  value(variables, 1000, 1);
  assert.deepEqual(variables.advance(9000).map(({ value }) => value), [1]);
  // One that was overtaken on the way changes nothing any more.
  assert.equal(value(variables, 6000, 6, { seq: 90 }), false);
  assert.equal(value(variables, 500, 7, { seq: 91 }), true, 'before the one of the larger number');
  variables.advance(9000);
  assert.equal(value(variables, 9500, 7, { seq: 91 }), false, 'a duplicate');
});

test('values of others, of a wrong type, and of unknown variables are ignored', () => {
  const variables = declared({});
  assert.equal(value(variables, 1, 5, { target: { clients: [8] } }), false);
  assert.equal(value(variables, 1, 5, { target: { tags: ['left'] } }), true);
  assert.equal(value(variables, 2, 'high'), false);
  assert.equal(value(variables, 2, 5, { name: 'y' }), false);
  for (const [variable, good, bad] of [
    [{ type: 'int' }, 3, '3'],
    [{ type: 'bool' }, false, 0],
    [{ type: 'enum', choices: ['a'] }, 'a', 'b'],
    [{ type: 'text' }, '', null],
    [{ type: 'color' }, '#ff8800', 'red'],
    [{ type: 'bool', event: true }, null, 'x'],
    [{ type: 'any' }, null, undefined],
  ]) {
    assert.equal(accepts(variable, good), true, variable.type);
    assert.equal(accepts(variable, bad), variable.type === 'any', variable.type);
  }
});

test('an event is heard once, and leaves no value', () => {
  const variables = declared({ type: 'bool', event: true, value: null });
  value(variables, 2000, true);
  value(variables, 1000, false);
  assert.deepEqual(variables.advance(3000).map(({ value }) => value), [false, true]);
  assert.equal(variables.valueOf('x'), null);
});

test('a welcome tells how what sounds has come to where it is', () => {
  const variables = declared({});
  value(variables, 1000, 9);
  const values = [
    { apply_at: 1_000_000, value: 5 },
    { apply_at: 2_000_000, over_micros: 1_000_000, value: 10 },
  ];
  const past = { from: 2, values };
  // Half an hour after that: what has sounded since then is still to be joined.
  const now = 1_800_000_000;
  variables.welcome({ variables: [{ ...FLOAT, value: 10, past }], now }, false, SELF);
  variables.advance(now);
  const line = variables.lineOf('x', (number) => number);
  assert.deepEqual([0, 1_500_000, 2_500_000, 9_000_000].map((at) => valueAt(line, at)), [2, 5, 7.5, 10]);
  assert.equal(variables.valueOf('x'), 10);
  variables.advance(now + 20_000_000);
  assert.equal(valueAt(variables.lineOf('x', (number) => number), 0), 10, 'it is not kept for ever');
});

test('a removed variable is gone, and can be declared anew', () => {
  const variables = declared({});
  value(variables, 1000, 5);
  variables.change({ removed: ['x'] });
  assert.deepEqual([variables.declared, variables.advance(2000)], [[], []]);
  variables.change({ declared: [{ ...FLOAT, max: 100, value: 20 }] });
  assert.deepEqual([variables.valueOf('x'), variables.get('x').max], [20, 100]);
});

test('a welcome brings the values, and those still to come', () => {
  const variables = declared({});
  value(variables, 9000, 9);
  const pending = [{ seq: 500, apply_at: 8000, name: 'x', value: 8, by: BY }];
  const welcome = { variables: [{ ...FLOAT, value: 4 }], pending, now: 5000 };
  variables.welcome(welcome, false, SELF);
  assert.equal(variables.valueOf('x'), 4);
  assert.equal(value(variables, 8000, 8, { seq: 500 }), false, 'it was pending');
  assert.deepEqual(variables.advance(10_000).map(({ value }) => value), [8]);
  // What sounds is bent from then on, not from the beginning.
  const line = variables.lineOf('x', (number) => number);
  assert.deepEqual([4999, 5000, 8000].map((at) => valueAt(line, at)), [0, 4, 8]);
  variables.welcome({ variables: [], now: 0 }, true, SELF);
  assert.deepEqual(variables.declared, []);
});

test('what was replaced long ago is forgotten, and the line stays the same since', () => {
  const variables = declared({});
  for (let at = 0; at < 1000; at += 1) value(variables, at * 20_000, at % 12);
  variables.advance(20_000_000);
  const line = variables.lineOf('x', (number) => number);
  assert.ok(line.length < 520);
  for (let at = 980; at < 1000; at += 1) assert.equal(valueAt(line, at * 20_000), at % 12);
  variables.advance(1e9);
  assert.deepEqual(variables.lineOf('x', (number) => number), level(999 % 12));
});

test('a variable drives the sounds that it is bound to', () => {
  const variables = declared({ bind: [{ parameter: 'semitones', sound: 'bell' }] });
  const bindings = new Bindings(variables);
  value(variables, 1000, 12, { over_micros: 1000 });
  const line = bindings.cents('bell');
  assert.deepEqual([1000, 1500, 2000].map((at) => valueAt(line, at)), [0, 600, 1200]);
  assert.equal(bindings.cents('bell'), line, 'the same until something changes');
  assert.ok(isLevel(bindings.cents('kick')));
  variables.value({ seq: 1, apply_at: 1, name: 'other', value: 0, by: BY }, SELF);
  assert.equal(bindings.cents('bell'), line);
  value(variables, 3000, 0);
  assert.notEqual(bindings.cents('bell'), line);
});

test('a level glides in amplitude, and -60 dB is silence', () => {
  const bind = [{ parameter: 'gain_db' }];
  const variables = declared({ min: -200, bind });
  const bindings = new Bindings(variables);
  assert.deepEqual([amplitudeOf(0), amplitudeOf(-60), amplitudeOf(-20)], [1, 0, 0.1]);
  value(variables, 10_000, -60, { over_micros: 10_000 });
  near(valueAt(bindings.gain('any'), 15_000), 0.5);
  // A change at once takes two milliseconds, so that it does not click.
  value(variables, 30_000, 0);
  near(valueAt(bindings.gain('any'), 31_000), 0.5);
  assert.equal(valueAt(bindings.gain('any'), 32_000), 1);
});

test('several variables combine', () => {
  const bind = (parameter) => [{ parameter }];
  const variables = declared(
    { name: 'a', bind: bind('gain_db'), value: -20 },
    { name: 'b', bind: [...bind('gain_db'), ...bind('pan')], value: -0.5 },
    { name: 'c', bind: bind('pan'), value: -0.25 },
    { name: 'd', bind: bind('semitones'), value: 3 },
    { name: 'e', bind: [...bind('semitones'), { parameter: 'semitones', sound: 'bell' }], value: 1 },
    { name: 'f', bind: bind('frequency'), default: 100, value: 220 },
    { name: 'g', bind: bind('frequency'), default: 100, value: 200 },
    { name: 'h', bind: bind('volume_db'), value: -20 },
  );
  const bindings = new Bindings(variables);
  near(valueAt(bindings.gain('bell'), 0), 0.1 * amplitudeOf(-0.5));
  near(valueAt(bindings.pan('bell'), 0), -0.75);
  near(valueAt(bindings.cents('bell'), 0), 500);
  near(valueAt(bindings.cents('kick'), 0), 400);
  // 220 Hz, times 200 over its default of 100.
  near(valueAt(bindings.frequency(), 0), 0);
  near(valueAt(bindings.volume(), 0), 0.1);
});
