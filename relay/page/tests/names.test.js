// Names are normalized by the same rule as in the relay.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { validName } from '../protocol/names.js';

test('a name is normalized, and an empty or long one is invalid', () => {
  assert.equal(validName('  lab\u0007-3\n'), 'lab-3');
  assert.equal(validName(' \t\n'), null);
  assert.equal(validName('ä'.repeat(64)), 'ä'.repeat(64));
  assert.equal(validName('😀'.repeat(65)), null);
});

test('the shared vectors hold, and every hidden character is removed', () => {
  const file = new URL('../../../tests/vectors/names.json', import.meta.url);
  const { hidden, names } = JSON.parse(readFileSync(file, 'utf8'));
  for (const [given, expected] of names) assert.equal(validName(given), expected);
  const ranges = hidden.map((range) => range.map((digits) => parseInt(digits, 16)));
  const isHidden = (point) => ranges.some(([first, last]) => first <= point && point <= last);
  for (let point = 0; point <= 0x10ffff; point += 1) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    const dropped = validName(`a${String.fromCodePoint(point)}b`) === 'ab';
    assert.equal(dropped, isHidden(point), point.toString(16));
  }
});
