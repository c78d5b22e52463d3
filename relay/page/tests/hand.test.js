// Playing by hand: the request of a press.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodeFromClient, encode } from '../protocol/messages.js';
import { Hand, velocityDb } from '../state/hand.js';

/** The request as a relay decodes it. */
function requested(changed, sound = 'kick', hitDb = 0) {
  const hand = new Hand();
  hand.update(changed);
  const { message, problem } = decodeFromClient(encode(hand.request(sound, hitDb)));
  assert.equal(problem, null);
  return message;
}

test('at the start a press plays a sound as it is', () => {
  const hand = new Hand();
  assert.equal(hand.isNeutral, true);
  assert.deepEqual(requested({}), { type: 'trigger', sound: 'kick', gain: 1, rate: 1, pan: 0 });
  hand.update({ pan: 0.5 });
  assert.equal(hand.isNeutral, false);
  hand.reset();
  assert.equal(hand.isNeutral, true);
});

test('values have their units, and stay within what the relay takes', () => {
  const message = requested({ gainDb: -20, semitones: 12, cents: -50, pan: -1 }, 'kick', -20);
  assert.ok(Math.abs(message.gain - 0.01) < 1e-9);
  assert.ok(Math.abs(message.rate - 2 ** (11.5 / 12)) < 1e-9);
  assert.equal(message.pan, -1);
  const wild = requested({ gainDb: 1e9, semitones: 24, cents: 100, pan: NaN });
  assert.ok(wild.gain <= 4);
  assert.deepEqual([wild.rate, wild.pan], [4, 0]);
});

test('the tone has a frequency, unless the variables give it one', () => {
  const changed = { frequency: 220, durationMillis: 1500, shape: 'saw' };
  assert.deepEqual(requested(changed, 'tone').tone, {
    frequency: 220,
    duration_micros: 1_500_000,
    shape: 'saw',
  });
  assert.equal('frequency' in requested({ frequency: null }, 'tone').tone, false);
  assert.equal(requested(changed).tone, undefined);
});

test('the target is who is chosen', () => {
  for (const [target, sent] of [
    ['everyone', undefined],
    ['others', { others: true }],
    ['one', { one: true }],
    ['tag:left', { tags: ['left'] }],
    ['chosen', { clients: [3, 5] }],
  ]) {
    assert.deepEqual(requested({ target, clients: [3, 5] }).target, sent, target);
  }
  const hand = new Hand();
  hand.update({ target: 'chosen' });
  assert.equal(hand.request('kick'), null, 'nobody is chosen');
});

test('the time is together, after a while, or now; and around the room', () => {
  assert.equal(requested({}).when, undefined);
  assert.equal(requested({ when: 'now' }).when, 'now');
  assert.deepEqual(requested({ when: 'after', afterMillis: 250 }).when, { after_micros: 250_000 });
  assert.equal(requested({ staggerMillis: 80 }).stagger_micros, 80_000);
});

test('a hit is louder the higher it is', () => {
  assert.deepEqual([0, 0.5, 1, -1, 2].map(velocityDb), [-24, -12, 0, -24, 0]);
});
