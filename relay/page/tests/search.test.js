// Search by typing, and what is left of a sound as text.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatSeconds } from '../state/units.js';
import { matcher } from '../state/search.js';

test('a name matches every word that was typed, whatever its case and accents', () => {
  const names = ['Café chant', 'cafe drum', 'Drum'];
  const found = (query) => names.filter(matcher(query));
  assert.deepEqual(found(''), names);
  assert.deepEqual(found(' CAFE '), ['Café chant', 'cafe drum']);
  assert.deepEqual(found('dru ca'), ['cafe drum']);
  assert.deepEqual(found('é'), ['Café chant', 'cafe drum']);
  assert.deepEqual(found('x'), []);
});

test('what is left has a tenth below ten seconds, and minutes from one on', () => {
  const texts = [-1, 0.04, 9.91, 10, 59.2, 61, 600, Infinity].map(formatSeconds);
  assert.deepEqual(texts, ['0.0 s', '0.1 s', '10.0 s', '10 s', '1:00', '1:01', '10:00', '∞']);
});
