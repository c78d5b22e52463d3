// How an AudioParam follows a line, with a param that computes its values as Web Audio does.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ParamLine } from '../audio/param-line.js';
import { glide, level, splice, valueAt } from '../automation/line.js';

/** The events of an AudioParam, and the value that they give. */
class Param {
  events = [];

  #add(event) {
    const at = this.events.findIndex(({ time }) => time > event.time);
    this.events.splice(at < 0 ? this.events.length : at, 0, event);
  }

  setValueAtTime(value, time) {
    this.#add({ type: 'set', value, time });
  }

  linearRampToValueAtTime(value, time) {
    this.#add({ type: 'ramp', value, time });
  }

  cancelScheduledValues(time) {
    this.events = this.events.filter((event) => event.time < time);
  }

  at(time) {
    const next = this.events.findIndex((event) => event.time > time);
    const before = this.events[(next < 0 ? this.events.length : next) - 1];
    const ramp = this.events[next];
    if (ramp?.type !== 'ramp') return before?.value;
    return before.value + ((ramp.value - before.value) * (time - before.time)) / (ramp.time - before.time);
  }
}

const LINE = glide(glide(level(1), 2, 2, 3), 6, 0, 0);

function assertFollows(param, line, from, to, early = 0) {
  for (let at = from; at < to; at += 0.013) {
    assert.ok(Math.abs(param.at(at - early) - valueAt(line, at)) < 1e-9, `at ${at}`);
  }
}

test('a param follows a line from its start on', () => {
  const param = new Param();
  new ParamLine(param, LINE, 1);
  assertFollows(param, LINE, 1, 8);
  assert.ok(param.events.every(({ time }) => Number.isFinite(time) && time >= 1));
});

test('a voice that starts on a slope starts at its height', () => {
  const param = new Param();
  new ParamLine(param, LINE, 3);
  assertFollows(param, LINE, 3, 8);
});

test('what is heard before a change stays, on a slope as well', () => {
  for (const from of [1.5, 2, 3, 4, 5, 6, 7]) {
    const param = new Param();
    const follower = new ParamLine(param, LINE, 1);
    const next = glide(level(-1), 5, 2, 1);
    follower.change(next, from);
    assertFollows(param, splice(LINE, next, from), 1, 9);
    // And once more, while the second slope is scheduled.
    follower.change(level(2), 6.5);
    const whole = splice(splice(LINE, next, from), level(2), 6.5);
    if (from < 6.5) assertFollows(param, whole, 1, 9);
  }
});

test('a param that is read once per quantum is scheduled half a quantum early', () => {
  const param = new Param();
  const follower = new ParamLine(param, LINE, 1, 0.1);
  follower.change(glide(LINE, 7, 0, 5), 3);
  assertFollows(param, glide(LINE, 7, 0, 5), 1, 9, 0.1);
});
