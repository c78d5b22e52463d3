// The token, and why the relay keeps the page out.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { reasonInWords, isRefusal, tokenIn, tokenTyped, wantsToken, whyKeptOut, withToken } from '../net/admission.js';

test('a token is what the fragment says it is, if it can be one', () => {
  for (const [fragment, token] of [
    ['', null],
    ['#token=let-me_in', 'let-me_in'],
    ['#x=1&token=a.b~c', 'a.b~c'],
    ['#token=', null],
    ['#token=a%20b', null],
    ['#token=a,b', null],
    ['#tokens=a', null],
  ]) {
    assert.equal(tokenIn(fragment), token, fragment);
  }
});

test('a token may be typed alone or with the address it came in', () => {
  assert.equal(tokenTyped(' let-me_in '), 'let-me_in');
  assert.equal(tokenTyped('http://10.0.0.2:3000/#token=abc'), 'abc');
  for (const wrong of ['', '  ', 'two words', 'http://10.0.0.2/', 'x'.repeat(129)]) {
    assert.equal(tokenTyped(wrong), null, wrong);
  }
});

test('a token that was typed goes into the fragment and leaves the rest of it', () => {
  assert.equal(withToken('', 'abc'), '#token=abc');
  assert.equal(tokenIn(withToken('#fingerprint=1a&token=old', 'new')), 'new');
  assert.ok(withToken('#fingerprint=1a', 'new').includes('fingerprint=1a'));
});

test('the relay is asked with the token, and its status becomes a reason', async () => {
  const asked = [];
  const ask = (status, token = null) =>
    whyKeptOut(token, async (url, request) => {
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
    [200, 'no_socket'],
    [403, 'origin'],
    [404, 'not_a_relay'],
    [421, 'name'],
    [429, 'full'],
    [502, 'silent'],
    [503, 'full'],
  ]) {
    assert.equal(await ask(status), reason);
    assert.ok(reasonInWords(reason, 'https://stage').length > 20);
    assert.equal(wantsToken(reason), false);
  }
  assert.ok(reasonInWords('origin', 'https://stage').includes('--allow-origin https://stage'));
  assert.ok(isRefusal('origin') && !isRefusal('full'));
});

test('a relay that cannot be reached is silent', async () => {
  const fails = () => Promise.reject(new TypeError('Failed to fetch'));
  assert.equal(await whyKeptOut('abc', fails), 'silent');
});
