// The gestures of a fader, in a document of which nothing is drawn.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Fader } from '../ui/fader.js';

/** As much of an element as a fader uses. */
class FakeElement {
  style = { setProperty: () => {} };
  #listeners = {};

  addEventListener(type, run) {
    this.#listeners[type] = run;
  }

  dispatch(type, event = {}) {
    this.#listeners[type]({ button: 0, buttons: 1, pointerId: 1, ...event });
  }

  getBoundingClientRect() {
    return { left: 0, width: 120 };
  }

  setPointerCapture() {}

  setAttribute() {}

  append() {}
}

function world() {
  const made = [];
  globalThis.document = {
    createElement: (name) => {
      made.push(Object.assign(new FakeElement(), { name }));
      return made.at(-1);
    },
  };
  const [set, lost] = [[], []];
  const fader = new Fader(
    'Volume',
    { type: 'int', min: 0, max: 100, default: 0 },
    (value, isLast) => set.push([value, isLast]),
    () => lost.push(true),
  );
  const track = made.find(({ name }) => name === 'div');
  return { fader, track, set, lost };
}

test('a drag sends each value, and the last one as such', () => {
  const { fader, track, set, lost } = world();
  track.dispatch('pointerdown', { clientX: 10 });
  track.dispatch('pointermove', { clientX: 60 });
  assert.equal(fader.isHeld, true);
  track.dispatch('pointerup', { buttons: 0 });
  track.dispatch('lostpointercapture', { buttons: 0 });
  track.dispatch('pointermove', { clientX: 90, buttons: 0 });
  assert.deepEqual([set, lost], [[[0, false], [50, false], [50, true]], []]);
});

test('a drag ends when the pointer is lost', () => {
  const { fader, track, set } = world();
  track.dispatch('pointerdown', { clientX: 60 });
  track.dispatch('lostpointercapture');
  assert.deepEqual([set, fader.isHeld], [[[50, false], [50, true]], false]);
});

test('a drag whose end was not noticed sends nothing when the pointer comes back', () => {
  const { fader, track, set, lost } = world();
  track.dispatch('pointerdown', { clientX: 60 });
  // The view is left and shown again.
  for (const clientX of [20, 90]) track.dispatch('pointermove', { clientX, buttons: 0 });
  track.dispatch('pointerup', { buttons: 0 });
  assert.deepEqual([set, lost, fader.isHeld], [[[50, false]], [true], false]);
});
