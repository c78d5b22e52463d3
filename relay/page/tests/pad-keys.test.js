// The keys of the pads.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keyAt, positionOfKey } from '../state/pad-keys.js';

test('digits come first, then the letters row by row', () => {
  const keys = Array.from({ length: 37 }, (_, position) => keyAt(position));
  assert.equal(keys.slice(0, 36).join(''), '1234567890qwertyuiopasdfghjklzxcvbnm');
  assert.equal(keys[36], undefined);
});

test('each key plays its pad', () => {
  for (let position = 0; position < 36; position += 1) {
    const key = keyAt(position);
    const code = /\d/.test(key) ? `Digit${key}` : `Key${key.toUpperCase()}`;
    assert.equal(positionOfKey({ key, code }), position);
  }
});

test('the label on the key counts, whatever the layout', () => {
  // AZERTY: digits need Shift, and A and Q are exchanged.
  assert.equal(positionOfKey({ key: '&', code: 'Digit1' }), 0);
  assert.equal(positionOfKey({ key: 'a', code: 'KeyQ' }), keyIndex('a'));
  assert.equal(positionOfKey({ key: 'Q', code: 'KeyA' }), keyIndex('q'));
  // A Cyrillic layout has no Latin letters: the place counts.
  assert.equal(positionOfKey({ key: 'й', code: 'KeyQ' }), keyIndex('q'));
  assert.equal(positionOfKey({ key: '5', code: 'Numpad5' }), 4);
});

test('other keys and shortcuts play nothing', () => {
  for (const event of [
    { key: ' ', code: 'Space' },
    { key: 'Escape', code: 'Escape' },
    { key: '/', code: 'Slash' },
    { key: 'Enter', code: 'Enter' },
    { key: 'r', code: 'KeyR', ctrlKey: true },
    { key: '1', code: 'Digit1', altKey: true },
    { key: 'q', code: 'KeyQ', metaKey: true },
  ]) {
    assert.equal(positionOfKey(event), -1, event.code);
  }
});

function keyIndex(key) {
  return Array.from({ length: 36 }, (_, position) => keyAt(position)).indexOf(key);
}
