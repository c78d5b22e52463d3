// The plan of the room.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { arrange, inSeatOrder, placeAfter, placeAt } from '../state/plan.js';

const machine = (name, x, y, seat) => ({ name, seat, place: x === undefined ? undefined : { x, y } });

test('places are on the grid and on the plan', () => {
  assert.deepEqual(placeAt(0.512, 0.488), { x: 0.5, y: 0.5 });
  assert.deepEqual(placeAt(-3, 7), { x: 0, y: 1 });
});

test('arrow keys move by one step of the grid, and not beyond the plan', () => {
  assert.deepEqual(placeAfter('ArrowRight', { x: 0.5, y: 0.5 }), { x: 0.525, y: 0.5 });
  assert.deepEqual(placeAfter('ArrowUp', { x: 0.5, y: 0 }), { x: 0.5, y: 0 });
  assert.equal(placeAfter('x', { x: 0, y: 0 }), undefined);
  assert.deepEqual(placeAfter('ArrowLeft', undefined), { x: 0.5, y: 0.5 }, 'the first key puts it on the plan');
});

test('machines are arranged in rows by seat, each at a place of its own', () => {
  for (const count of [1, 2, 7, 30, 100]) {
    const machines = Array.from({ length: count }, (_, at) => machine(`m${at}`, undefined, undefined, count - at));
    const placed = arrange(machines, []);
    assert.equal(placed.length, count);
    assert.equal(new Set(placed.map(({ place }) => `${place.x} ${place.y}`)).size, count, `${count} places`);
    assert.deepEqual(placed.map((one) => one.machine.seat), Array.from({ length: count }, (_, at) => at + 1));
  }
});

test('an arrangement leaves those that are placed where they are', () => {
  const there = [machine('a', 0.5, 0.3)];
  for (const { place } of arrange([machine('b'), machine('c')], there)) assert.ok(place.y > 0.35);
});

test('seats are counted row by row from the front, those without a place last', () => {
  const machines = [
    machine('back', 0.1, 0.9),
    machine('lab-10'),
    machine('right', 0.9, 0.12),
    machine('left', 0.1, 0.1),
    machine('lab-9'),
    machine('seated', undefined, undefined, 3),
  ];
  assert.deepEqual(
    inSeatOrder(machines).map(({ name }) => name),
    ['left', 'right', 'back', 'seated', 'lab-9', 'lab-10'],
  );
});
