// From the channels and rate of a file to those of a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodedBytes } from '../bank/decode.js';
import { downmix, maskOf } from '../bank/downmix.js';
import { panGains } from '../audio/pan.js';
import { resample } from '../bank/resample.js';

const near = (actual, expected, tolerance = 1e-6) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);

/** What comes out left and right if only channel `at` of a sound of this mask sounds. */
function sides(mask, channels, at) {
  const values = Array.from({ length: channels }, (_, channel) =>
    Float32Array.of(channel === at ? 1 : 0),
  );
  return downmix({ mask, channels: values }).map(([value]) => value);
}

test('5.1 is mixed down with the coefficients of BS.775, without low-frequency effects', () => {
  const half = Math.SQRT1_2;
  [[1, 0], [0, 1], [half, half], [0, 0], [half, 0], [0, half]].forEach((expected, at) => {
    for (const mask of [0x3f, 0x60f]) {
      sides(mask, 6, at).forEach((value, side) => near(value, expected[side]));
    }
  });
  assert.deepEqual(sides(0x70f, 7, 4), [0.5, 0.5], 'a single channel at the back');
  assert.deepEqual(sides(0xb, 3, 2), [0, 0], '2.1');
});

test('mono and stereo are unchanged', () => {
  const mono = [Float32Array.of(1)];
  assert.equal(downmix({ mask: 4, channels: mono }), mono);
  const stereo = [Float32Array.of(1), Float32Array.of(2)];
  assert.equal(downmix({ mask: 3, channels: stereo }), stereo);
});

test('a mask that does not cover every channel is ignored', () => {
  assert.deepEqual([1, 2, 6, 8].map((channels) => maskOf(0, channels)), [4, 3, 0x3f, 0x63f]);
  assert.equal(maskOf(0x3, 6), 0x3f);
  assert.equal(maskOf(0x60f, 6), 0x60f);
});

test('the panning law is that of the desktop client', () => {
  assert.deepEqual(panGains(1, 0), [1, 1]);
  near(panGains(1, -1)[0], Math.SQRT2);
  near(panGains(1, -1)[1], 0);
  near(panGains(2, 1)[0], 0);
  assert.equal(panGains(2, 1)[1], 1);
});

for (const [from, to] of [
  [44_100, 48_000],
  [48_000, 44_100],
  [96_000, 48_000],
  [768_000, 48_000],
  [2000, 48_000],
  [1000, 44_100],
  [11_025, 48_000],
  [44_099, 48_000],
]) {
  test(`a tone keeps its pitch and level from ${from} Hz to ${to} Hz`, () => {
    const frequency = 0.2 * Math.min(from, to);
    const frames = Math.round(from / 4);
    const tone = (rate, at) => 0.5 * Math.sin((2 * Math.PI * frequency * at) / rate);
    const out = resample(Float32Array.from({ length: frames }, (_, at) => tone(from, at)), from, to);
    near(out.length, (frames * to) / from, 0.5);
    let worst = 0;
    // Beyond the ends there is silence, which the tone's ends feel.
    const margin = Math.ceil(60 * Math.max(1, to / from));
    for (let at = margin; at < out.length - margin; at += 1) {
      worst = Math.max(worst, Math.abs(out[at] - tone(to, at)));
    }
    assert.ok(worst < 0.5e-4, `it is off by ${20 * Math.log10(worst / 0.5)} dB`);
  });
}

test('frequencies above the new Nyquist limit are removed, not aliased', () => {
  const tone = Float32Array.from({ length: 96_000 }, (_, at) => Math.sin(2 * Math.PI * 0.3 * at));
  const out = resample(tone, 96_000, 48_000);
  const peak = out.slice(200, -200).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(peak < 1e-4, `${peak}`);
});

test('a sound at the rate of the output is unchanged', () => {
  const values = Float32Array.of(0.1, 0.2);
  assert.equal(resample(values, 48_000, 48_000), values);
});

test('the decoded size is known in advance', () => {
  assert.equal(decodedBytes({ frames: 44_100, rate: 44_100, channels: 6 }, 48_000), 384_000);
});
