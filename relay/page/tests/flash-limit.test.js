// The limit of flashes.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FlashLimit } from '../ui/flash-limit.js';

test('no second has more than three flashes at full contrast', () => {
  for (const gap of [1, 10, 90, 125, 333, 400]) {
    const limit = new FlashLimit();
    const flashes = [];
    for (let now = 0; now < 10_000; now += gap) if (limit.allows(now)) flashes.push(now);
    for (const from of flashes) {
      const within = flashes.filter((at) => at >= from && at < from + 1000);
      assert.ok(within.length <= 3, `${gap} ms apart: ${within}`);
    }
    assert.ok(flashes.length >= 24, `${gap} ms apart: ${flashes.length} in ten seconds`);
  }
});

test('slow bangs all flash', () => {
  const limit = new FlashLimit();
  for (let now = 0; now < 10_000; now += 334) assert.ok(limit.allows(now));
});
