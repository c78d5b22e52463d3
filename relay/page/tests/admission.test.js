// Why the relay rejects the page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { askRejectionReason, describeReason, isPermanent, wantsToken } from '../net/admission.js';

test('the relay is asked with the token, and its status is mapped to a reason', async () => {
  const asked = [];
  const ask = (status, token = null) =>
    askRejectionReason(token, async (url, request) => {
      asked.push([url, request.method, request.headers.Authorization]);
      return { status };
    });
  assert.equal(await ask(401), 'no_token');
  assert.equal(await ask(401, 'abc'), 'wrong_token');
  assert.deepEqual(asked, [
    ['access', 'POST', undefined],
    ['access', 'POST', 'Bearer abc'],
  ]);
  for (const [status, reason] of [
    [200, 'no_websocket'],
    [403, 'origin'],
    [404, 'not_a_relay'],
    [421, 'host'],
    [429, 'capacity'],
    [502, 'no_answer'],
    [503, 'capacity'],
  ]) {
    assert.equal(await ask(status), reason);
    assert.ok(describeReason(reason, 'https://stage').length > 20);
    assert.equal(wantsToken(reason), false);
  }
  assert.ok(describeReason('origin', 'https://stage').includes('--allow-origin https://stage'));
  assert.ok(isPermanent('origin') && !isPermanent('capacity'));
});

test('an unreachable relay gives no answer', async () => {
  const fails = () => Promise.reject(new TypeError('Failed to fetch'));
  assert.equal(await askRejectionReason('abc', fails), 'no_answer');
});
