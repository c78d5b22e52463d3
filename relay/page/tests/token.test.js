// The token in addresses and in the handshake.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { offeredSubprotocols, parseToken, tokenIn, withToken } from '../protocol/token.js';

test('a valid token is found in the fragment', () => {
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

test('a token is parsed alone or in an address', () => {
  assert.equal(parseToken(' let-me_in '), 'let-me_in');
  assert.equal(parseToken('http://10.0.0.2:3000/#token=abc'), 'abc');
  for (const wrong of ['', '  ', 'two words', 'http://10.0.0.2/', 'x'.repeat(129)]) {
    assert.equal(parseToken(wrong), null, wrong);
  }
});

test('setting the token keeps the other fields of the fragment', () => {
  assert.equal(withToken('', 'abc'), '#token=abc');
  assert.equal(tokenIn(withToken('#fingerprint=1a&token=old', 'new')), 'new');
  assert.ok(withToken('#fingerprint=1a', 'new').includes('fingerprint=1a'));
});

test('only a valid token is offered beside the subprotocol', () => {
  assert.deepEqual(offeredSubprotocols(''), ['downbeat.v1']);
  const withTokens = ['downbeat.v1', 'downbeat.token.let-me_in'];
  assert.deepEqual(offeredSubprotocols('#token=let-me_in'), withTokens);
  assert.deepEqual(offeredSubprotocols('#x=1&token=a.b~c'), ['downbeat.v1', 'downbeat.token.a.b~c']);
  for (const fragment of ['#token=', '#token=a%20b', '#token=a,b', '#tokens=a']) {
    assert.deepEqual(offeredSubprotocols(fragment), ['downbeat.v1'], fragment);
  }
});
