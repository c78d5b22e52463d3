// The lines that the voice of a cue follows.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { QUANTUM_FRAMES } from '../audio/placement.js';
import { glide, level, travel, valueAt, valueBefore } from '../automation/line.js';
import { linesOf, onQuanta, withTrigger } from '../session/cue-lines.js';
import { Bindings } from '../state/bindings.js';
import { Cue } from '../state/cue.js';
import { Variables } from '../state/variables.js';

const RATE = 48_000;
const QUANTUM = QUANTUM_FRAMES / RATE;
const SOUND = { name: 'texture', frames: 480_000, rate: RATE };
const SELF = { id: 7, name: 'page-1', tags: [] };

/** A cue of a sound whose gain, transposition and pan each follow a variable, and its variables. */
function bound() {
  const variables = new Variables();
  const declared = ['gain_db', 'semitones', 'pan'].map((parameter) => ({
    name: parameter,
    type: 'float',
    min: -60,
    max: 60,
    default: 0,
    value: 0,
    bind: [{ parameter, sound: 'texture' }],
  }));
  variables.change({ declared });
  const trigger = { seq: 1, play_at: 1_000_000, sound: 'texture', gain: 0.5, rate: 1, pan: 0.25 };
  const cue = new Cue(trigger, 0, SOUND, new Bindings(variables));
  let seq = 100;
  const set = (name, at, value, over = 0) => {
    seq += 1;
    variables.value({ seq, apply_at: at, name, value, over_micros: over, by: { id: 2 } }, SELF);
  };
  return { cue, set };
}

const near = (actual, expected, within = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);

/** Without gaps and overlaps, from -Infinity to Infinity. */
function assertWhole(line) {
  assert.equal(line[0].from, -Infinity);
  assert.equal(line.at(-1).to, Infinity);
  for (const [at, { from, to }] of line.entries()) {
    assert.ok(from < to, `${from} is not before ${to}`);
    // Not `assert.equal`, for which 0 and -0 differ.
    if (at > 0) assert.ok(from === line[at - 1].to, `${from} is not ${line[at - 1].to}`);
  }
}

/** The times, in quanta, at which a line steps. */
const stepsOf = (line) =>
  line.slice(1).filter(({ start }, at) => start !== line[at].end).map(({ from }) => from / QUANTUM);

test('the lines of a cue are those of its variables, over relay time', () => {
  const { cue, set } = bound();
  set('semitones', 3_000_000, 12, 1_000_000);
  set('gain_db', 3_000_000, -20);
  set('pan', 5_000_000, -1);
  const { bend, gain, pan, ...others } = linesOf(cue);
  assert.deepEqual(others, {});
  assert.deepEqual([2e6, 3.5e6, 9e6].map((at) => valueAt(bend, at)), [0, 600, 1200]);
  near(valueAt(gain, 2e6), 1);
  near(valueAt(gain, 9e6), 0.1);
  assert.deepEqual([4e6, 9e6].map((at) => valueAt(pan, at)), [0, -1]);
});

test('a line is the same object until its variable changes', () => {
  const { cue, set } = bound();
  const before = linesOf(cue);
  set('pan', 3_000_000, 1);
  const after = linesOf(cue);
  assert.deepEqual(
    ['bend', 'gain', 'pan'].map((name) => before[name] === after[name]),
    [true, true, false],
  );
});

test('a stop changes no line', () => {
  const { cue, set } = bound();
  set('semitones', 3_000_000, 12, 1_000_000);
  const { bend, gain, pan } = linesOf(cue);
  cue.stopAt = 3_500_000;
  const after = linesOf(cue);
  assert.ok(after.bend === bend && after.gain === gain && after.pan === pan);
});

test('the gain of the trigger is a factor and its pan a term, on glides and steps as well', () => {
  const { trigger } = bound().cue;
  const line = glide(glide(level(1), 2, 2, 3), 6, 0, -1);
  const [gain, pan] = ['gain', 'pan'].map((name) => withTrigger(name, line, trigger));
  assertWhole(gain);
  assertWhole(pan);
  for (const at of [0, 2, 2.5, 4, 5, 6, 7]) {
    near(valueAt(gain, at), 0.5 * valueAt(line, at));
    near(valueAt(pan, at), 0.25 + valueAt(line, at));
  }
  near(valueBefore(gain, 6), 1.5);
  near(valueBefore(pan, 6), 3.25);
  assert.deepEqual(line, glide(glide(level(1), 2, 2, 3), 6, 0, -1), 'the line of the cue stays');
});

test('a trigger leaves the transposition as it is: its rate is the speed', () => {
  const line = glide(level(0), 2, 2, 1200);
  assert.equal(withTrigger('bend', line, { gain: 0.5, pan: 0.25, rate: 2 }), line);
});

test('a silent trigger is silent whatever the variables do', () => {
  const line = withTrigger('gain', glide(level(1), 2, 2, 3), { gain: 0, pan: 0 });
  assert.deepEqual([0, 3, 9].map((at) => valueAt(line, at)), [0, 0, 0]);
});

test('a step is moved to the nearest quantum', () => {
  for (const [at, expected] of [
    [10, 10],
    [10.4, 10],
    [10.6, 11],
    // A context counts from its start, and a variable may have changed before.
    [-3.4, -3],
    [-3.6, -4],
  ]) {
    const line = onQuanta(glide(level(0), at * QUANTUM, 0, 700), RATE);
    assertWhole(line);
    assert.equal(stepsOf(line).length, 1);
    near(stepsOf(line)[0], expected);
  }
  near(onQuanta(glide(level(0), 0.0101, 0, 700), 8000)[1].from, 0.016);
});

test('a glide stays where it is, and so does a level', () => {
  const line = glide(glide(level(0), 10.3 * QUANTUM, 100.4 * QUANTUM, 1200), 50.7 * QUANTUM, 20.2 * QUANTUM, -700);
  assert.deepEqual(onQuanta(line, RATE), line);
  assert.deepEqual(onQuanta(level(300), RATE), level(300));
});

test('a glide that a step cuts off ends with it, and one after a step begins on time', () => {
  const cut = onQuanta(glide(glide(level(0), 10 * QUANTUM, 10 * QUANTUM, 1200), 15.4 * QUANTUM, 0, 0), RATE);
  assertWhole(cut);
  near(stepsOf(cut)[0], 15);
  near(valueBefore(cut, 15 * QUANTUM), 648);
  assert.equal(valueAt(cut, 15 * QUANTUM), 0);
  const later = onQuanta(glide(glide(level(0), 10.4 * QUANTUM, 0, 500), 12.3 * QUANTUM, 4 * QUANTUM, 900), RATE);
  assertWhole(later);
  near(stepsOf(later)[0], 10);
  near(valueAt(later, 14.3 * QUANTUM), 700);
});

test('a step just after the end of a glide stays after it', () => {
  const line = onQuanta(glide(glide(level(0), 10 * QUANTUM, 5.2 * QUANTUM, 1200), 15.3 * QUANTUM, 0, -700), RATE);
  assertWhole(line);
  const values = [valueBefore(line, 15 * QUANTUM), valueAt(line, 15 * QUANTUM), line.at(-1).start];
  assert.deepEqual(values, [1200, -700, -700]);
});

test('a glide that begins just after a step stays after it', () => {
  const line = onQuanta(glide(glide(level(0), 1.7 * QUANTUM, 0, 500), 1.8 * QUANTUM, 10 * QUANTUM, 1200), RATE);
  assertWhole(line);
  near(stepsOf(line)[0], 2);
  assert.deepEqual([valueBefore(line, 2 * QUANTUM), valueAt(line, 2 * QUANTUM), line.at(-1).end], [0, 500, 1200]);
});

test('of several steps within a quantum the last one counts', () => {
  const steps = [9.6, 9.8, 10.1, 10.3].reduce((line, at, index) => glide(line, at * QUANTUM, 0, index + 1), level(0));
  const line = onQuanta(steps, RATE);
  assertWhole(line);
  assert.deepEqual(line.map(({ start }) => start), [0, 4]);
});

test('whatever follows whatever, lines are whole, step at quanta only, and hold their levels', () => {
  let state = 7;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let turn = 0; turn < 500; turn += 1) {
    let line = level(0);
    let at = -5 * QUANTUM;
    for (let change = 0; change < 12; change += 1) {
      at += random() * 3 * QUANTUM;
      const over = random() < 0.5 ? 0 : random() * 2 * QUANTUM;
      line = glide(line, at, over, Math.floor(random() * 2400) - 1200);
    }
    const moved = onQuanta(line, RATE);
    assertWhole(moved);
    for (const step of stepsOf(moved)) near(step, Math.round(step), 1e-6);
    for (const { from, to, start, end } of line) {
      if (start !== end || to - from <= QUANTUM) continue;
      near(valueAt(moved, (Math.max(from, -1) + Math.min(to, 1)) / 2), end, 0);
    }
  }
});

test('a voice that joins late is transposed as one that has sounded all along', () => {
  const second = (line) => glide(glide(line, 30.4 * QUANTUM, 20 * QUANTUM, 700), 60.4 * QUANTUM, 0, -200);
  const all = onQuanta(second(glide(level(0), 10.3 * QUANTUM, 0, 1200)), RATE);
  // For a late one, what was over before it joined is forgotten.
  const late = onQuanta(second(level(1200)), RATE);
  for (const [from, to] of [[11, 30], [25, 45], [40, 61], [59, 90]]) {
    near(travel(late, from * QUANTUM, to * QUANTUM), travel(all, from * QUANTUM, to * QUANTUM));
  }
  near(travel(late, 59 * QUANTUM, 61 * QUANTUM) / QUANTUM, 2 ** (700 / 1200) + 2 ** (-200 / 1200));
});
