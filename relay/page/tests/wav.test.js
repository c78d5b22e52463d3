// The reader of WAVs, held to the vectors that samples/tests/wav_vectors.rs holds the player's to.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { readWav } from '../bank/wav.js';

const VECTORS = JSON.parse(readFileSync(new URL('../../../tests/vectors/wav.json', import.meta.url)));

/** Hexadecimal digits, and text between apostrophes. */
function bytes(notation) {
  const parts = notation.split("'").map((part, at) =>
    at % 2 === 1 ? Buffer.from(part, 'latin1') : Buffer.from(part.replaceAll(' ', ''), 'hex'),
  );
  return new Uint8Array(Buffer.concat(parts)).buffer;
}

for (const { name, file, error, ...expected } of VECTORS) {
  test(`a WAV: ${name}`, () => {
    if (error !== undefined) {
      assert.throws(() => readWav(bytes(file)), { message: error });
      return;
    }
    const { rate, mask, channels } = readWav(bytes(file));
    const read = { rate, mask, channels: channels.map((values) => [...values]) };
    assert.deepEqual(read, expected);
  });
}

test('a corrupted header is read or rejected, and nothing else', () => {
  let seed = 1;
  const random = (below) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (const { file } of VECTORS) {
    for (let change = 0; change < 200; change += 1) {
      const mangled = new Uint8Array(bytes(file)).slice(0, random(120));
      for (let at = 0; at < 4; at += 1) mangled[random(mangled.length || 1)] = random(256);
      try {
        const { rate, channels } = readWav(mangled.buffer);
        assert.ok(rate >= 1000 && channels.length >= 1 && channels[0].length >= 1);
      } catch (error) {
        assert.ok(!(error instanceof RangeError || error instanceof TypeError), error.stack);
      }
    }
  }
});
