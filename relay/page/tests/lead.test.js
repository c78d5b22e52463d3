// The lead that the page requires.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hasChangedMuch, requiredLead } from '../session/lead.js';

test('the required lead is the sum of its parts, and null while one is unknown', () => {
  assert.equal(requiredLead(1000, 35_000, 2667.7, 0), 38_668);
  assert.equal(requiredLead(1000, 35_000, 2667.7, 10_000), 48_668);
  assert.equal(requiredLead(1000, 35_000, 2667.7, -500_000), 0);
  assert.equal(requiredLead(null, 35_000, 2667.7, 0), null);
  assert.equal(requiredLead(1000, null, 2667.7, 0), null);
});

test('only a large change is reported at once', () => {
  assert.equal(hasChangedMuch(40_000, 39_000), false);
  assert.equal(hasChangedMuch(60_000, 40_000), true);
  assert.equal(hasChangedMuch(1500, 200), false);
  assert.equal(hasChangedMuch(null, 40_000), true);
  assert.equal(hasChangedMuch(40_000, null), true);
  assert.equal(hasChangedMuch(null, null), false);
});
