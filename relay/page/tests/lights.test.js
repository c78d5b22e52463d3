// The lights of what sounds elsewhere, and the instants of values, with simulated timers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Lights } from '../session/lights.js';
import { VariableWatch } from '../session/variable-watch.js';
import { Room } from '../state/room.js';
import { Variables } from '../state/variables.js';
import { callsOf, recorder } from './fakes.js';

/** Timers in virtual time, in ms. */
class Timers {
  now = 0;
  #timers = new Map();
  #last = 0;

  set = (run, millis) => {
    this.#last += 1;
    this.#timers.set(this.#last, { run, at: this.now + millis });
    return this.#last;
  };

  clear = (timer) => this.#timers.delete(timer);

  advance(to) {
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= to).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
    }
    this.now = to;
  }
}

function lights() {
  const timers = new Timers();
  const lit = [];
  const all = new Lights(
    (sound) => lit.push([timers.now, sound]),
    () => timers.now * 1000,
    timers.set,
    timers.clear,
  );
  return { timers, lit, lights: all };
}

const trigger = (seq, sound, playAt) => ({ seq, sound, play_at: playAt });

test('a pad lights when its sound is heard elsewhere', () => {
  const { timers, lit, lights: all } = lights();
  all.wait(trigger(1, 'bell', 50_000), 40_000);
  all.wait(trigger(2, 'kick', 0), -5000);
  timers.advance(100);
  assert.deepEqual(lit, [[0, 'kick'], [40, 'bell']]);
});

test('a stop cancels the lights of what it cancels', () => {
  const { timers, lit, lights: all } = lights();
  all.wait(trigger(1, 'bell', 50_000), 50_000);
  all.wait(trigger(2, 'kick', 50_000), 50_000);
  all.wait(trigger(3, 'bell', 10_000), 10_000);
  all.wait(trigger(9, 'bell', 50_000), 50_000);
  all.stop({ seq: 4, sound: 'bell', stop_at: 20_000 });
  timers.advance(100);
  assert.deepEqual(lit, [[10, 'bell'], [50, 'kick'], [50, 'bell']]);
});

test('not more than 256 wait', () => {
  const { timers, lit, lights: all } = lights();
  for (let seq = 1; seq <= 1000; seq += 1) all.wait(trigger(seq, 'bell', 0), 1000);
  timers.advance(100);
  assert.equal(lit.length, 256);
});

test('values are shown at their instants, and what they drive knows them before', () => {
  const timers = new Timers();
  const log = [];
  const room = new Room('page-1');
  room.id = 7;
  let estimate = null;
  const variables = new Variables();
  const watch = new VariableWatch({
    variables,
    room,
    clock: { estimate: () => estimate },
    scheduler: recorder('scheduler', log),
    ui: recorder('ui', log),
    now: () => timers.now * 1000,
    setTimer: timers.set,
    clearTimer: timers.clear,
  });
  const declared = [{ name: 'x', type: 'bool', default: false, value: false, scope: 'machine' }];
  watch.welcome({ variables: declared, now: 0 }, true);
  assert.deepEqual([watch.isPerMachine('x'), watch.isPerMachine('y')], [true, false]);
  const value = (seq, at, given, by) =>
    watch.value({ seq, apply_at: at, name: 'x', value: given, by: { id: by, name: 'a' } });
  value(1, 1_020_000, true, 7);
  assert.equal(callsOf(log, 'scheduler.followVariables').length, 2);
  timers.advance(100);
  assert.deepEqual(callsOf(log, 'ui.showValue'), [], 'the time of the relay is not known yet');
  // Relay time is a second ahead of local time.
  estimate = { relayAt: (micros) => micros + 1e6, localAt: (micros) => micros - 1e6 };
  watch.advance();
  assert.deepEqual(callsOf(log, 'ui.showValue'), [['x', true, true]]);
  value(2, 4_200_000, false, 9);
  timers.advance(3199);
  assert.equal(callsOf(log, 'ui.showValue').length, 1);
  timers.advance(3201);
  assert.deepEqual(callsOf(log, 'ui.showValue').at(-1), ['x', false, false]);
});
