// The room code, typed and exchanged.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { joinByCode } from '../net/join.js';
import { formatCode, parseCode } from '../protocol/room-code.js';

test('a code is eight digits, whatever stands between them', () => {
  for (const typed of ['48271963', '4827 1963', ' 48 27-19.63 ', '4827–1963']) {
    assert.equal(parseCode(typed), '48271963', typed);
  }
  for (const typed of ['', '4827196', '482719633', '4827196a', 'our-lab', '#token=48271963']) {
    assert.equal(parseCode(typed), null, typed);
  }
  assert.equal(formatCode('48271963'), '4827 1963');
});

const answer = (status, text = '') => async () => ({ status, ok: status === 200, text: async () => text });

test('a code is exchanged for a token', async () => {
  const asked = [];
  const fetch = async (...args) => {
    asked.push(args);
    return answer(200, 'our-lab\n')();
  };
  assert.deepEqual(await joinByCode('48271963', fetch), { token: 'our-lab' });
  assert.deepEqual([asked[0][0], asked[0][1].method, asked[0][1].body], ['join', 'POST', '48271963']);
});

test('each failure has its words', async () => {
  const wrong = await joinByCode('1', answer(403));
  assert.match(wrong.problem, /not the code of this room/);
  assert.equal(wrong.isWrong, true);
  const many = await joinByCode('1', answer(429));
  assert.match(many.problem, /Wait a minute/);
  assert.equal(many.isWrong, undefined);
  const fails = async () => {
    throw new TypeError('network');
  };
  for (const fetch of [fails, answer(200, 'two words'), answer(200, '')]) {
    assert.match((await joinByCode('1', fetch)).problem, /does not answer/);
  }
});
