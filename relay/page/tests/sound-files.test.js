// Files before they are uploaded.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { MAX_FILE_BYTES, formatBytes, isSound, problemOf, soundNameOf } from '../state/sound-files.js';

const head = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0));

const WAV = head('RIFF\x24\0\0\0WAVE');

test('the kinds that the relay reads are known by their first bytes', () => {
  const sounds = [WAV, head('RF64\xff\xff\xff\xffWAVE'), head('fLaC\0\0\0\x22....'), head('OggS\0\x02......')];
  sounds.push(head('ID3\x04\0......'), head('\xff\xfb\x90\x64........'), head('FORM\0\0\0\0AIFF'), head('FORM\0\0\0\0AIFC'));
  for (const sound of sounds) assert.ok(isSound(sound), String.fromCharCode(...sound));
  const others = [head('RIFF\x24\0\0\0AVI '), head('\x89PNG\r\n\x1a\n....'), head('....ftypM4A '), head(''), head('\xff\xd8\xff\xe0....')];
  for (const other of others) assert.ok(!isSound(other), String.fromCharCode(...other));
  const embedded = readFileSync(new URL('../../../samples/kick.wav', import.meta.url));
  assert.ok(isSound(new Uint8Array(embedded.subarray(0, 12))));
});

test('what the relay would refuse is refused before it is sent, in words', () => {
  const problem = (name, size, first = WAV) => problemOf({ name, size }, first);
  assert.equal(problem('a.wav', 1), null);
  assert.equal(problem('a.wav', MAX_FILE_BYTES), null);
  assert.match(problem('a.wav', MAX_FILE_BYTES + 1), /96 MiB is the limit/);
  assert.match(problem('a.wav', 0), /empty/);
  assert.match(problem('a.png', 9, head('\x89PNG........')), /no sound that the relay reads/);
  assert.match(problem('a.M4A', 9, head('....ftypM4A ')), /does not read this kind: save it as WAV, .* or AIFF\.$/);
});

test('a sound is named after its file', () => {
  assert.deepEqual(
    ['kick.wav', 'low tom.take 2.flac', 'noending', '  spaced .mp3', '.wav', `${'x'.repeat(80)}.wav`].map(soundNameOf),
    ['kick', 'low tom.take 2', 'noending', 'spaced', 'sound', 'x'.repeat(64)],
  );
});

test('sizes are in the unit that people use', () => {
  const sizes = [0, 1023, 1024, 48_044, 1_500_000, 100_663_296];
  assert.deepEqual(sizes.map(formatBytes), ['0 B', '1023 B', '1 KiB', '47 KiB', '1.4 MiB', '96 MiB']);
});
