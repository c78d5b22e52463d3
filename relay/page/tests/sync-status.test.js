// What the page says of its own part in the room.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Standing, inWords } from '../state/sync-status.js';

const own = (straggler, lead_micros) => ({ id: 7, straggler, report: { lead_micros } });

test('a good clock is not worth a word', () => {
  const standing = new Standing();
  for (const micros of [null, 35, 2000]) {
    standing.clock(micros);
    assert.equal(standing.problem(own(false), 500_000), null);
  }
});

test('a loose clock is told of until it is well below the limit', () => {
  const standing = new Standing();
  standing.clock(2401);
  assert.match(standing.problem(), /can be off by ±2\.4 ms/);
  standing.clock(1700);
  assert.match(standing.problem(), /can be off by ±1\.7 ms/);
  standing.clock(1600);
  assert.equal(standing.problem(), null);
  standing.clock(1700);
  assert.equal(standing.problem(), null);
});

test('who needs more lead than there is joins late, and is told so first', () => {
  const standing = new Standing();
  standing.clock(2500);
  assert.equal(
    standing.problem(own(true, 612_000), 500_000),
    'This machine needs 612 ms, more than the room waits for (500 ms): it joins each sound in the middle.',
  );
  for (const needed of [undefined, 210_000]) {
    assert.match(standing.problem(own(true, needed), 500_000), /needs more time than the room/);
  }
});

test('times are said as people say them', () => {
  assert.deepEqual([35.2, 999, 1500, 42_300].map(inWords), ['35 µs', '999 µs', '1.5 ms', '42 ms']);
});
