// What was typed to join: a room code or a token.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AdmissionCheck } from '../session/admission-check.js';
import { callsOf, recorder } from './fakes.js';

function world({ joined = {}, reason = 'wrong_token' } = {}) {
  const log = [];
  globalThis.location = { hash: '#fingerprint=ab' };
  globalThis.history = { replaceState: (state, title, hash) => (globalThis.location.hash = hash) };
  const check = new AdmissionCheck(
    recorder('connection', log),
    recorder('ui', log),
    async (code) => {
      log.push(['join', code]);
      return joined;
    },
    async (token) => {
      log.push(['ask', token]);
      return reason;
    },
  );
  return { check, log };
}

test('a token is kept in the address, and used', async () => {
  const { check, log } = world();
  await check.enter('our-lab');
  assert.deepEqual(log, [['connection.reconnect']]);
  assert.equal(location.hash, '#fingerprint=ab&token=our-lab');
});

test('a code is exchanged for a token', async () => {
  const { check, log } = world({ joined: { token: 'our-lab' } });
  await check.enter('48271963');
  assert.deepEqual(log, [['join', '48271963'], ['connection.reconnect']]);
  assert.equal(location.hash, '#fingerprint=ab&token=our-lab');
});

test('a wrong code is told, unless it is a token', async () => {
  const wrong = { problem: 'wrong', isWrong: true };
  const { check, log } = world({ joined: wrong });
  await check.enter('48271963');
  assert.deepEqual(callsOf(log, 'ui.showTokenProblem'), [['wrong']]);
  assert.deepEqual(callsOf(log, 'connection.reconnect'), []);
  const token = world({ joined: wrong, reason: 'no_websocket' });
  await token.check.enter('48271963');
  assert.deepEqual(token.log.at(-1), ['connection.reconnect']);
});

test('after too many wrong codes nothing else is tried', async () => {
  const { check, log } = world({ joined: { problem: 'too many' } });
  await check.enter('48271963');
  assert.deepEqual(log, [['join', '48271963'], ['ui.showTokenProblem', 'too many']]);
});
