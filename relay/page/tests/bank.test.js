// The sounds on their way from the relay.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Bank } from '../bank.js';

const CLICK = { name: 'click', hash: 'c1', bytes: 10 };
const TEXTURE = { name: 'texture', hash: 't1', bytes: 99 };

/** A bank whose relay answers as `answer` says, with what happened in the order it happened. */
function bankOn(answer) {
  const log = [];
  const timers = [];
  const bank = new Bank(
    async (bytes) => `decoded ${bytes}`,
    {
      loaded: (name) => log.push(`loaded ${name}`),
      failed: (name, why) => log.push(`failed ${name}: ${why}`),
    },
    async (url) => {
      log.push(url);
      return answer(url);
    },
    (run) => timers.push(run),
  );
  return { bank, log, timers };
}

const served = (url) => ({ ok: true, arrayBuffer: async () => url });
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('sounds are fetched by hash, the smallest first, and once', async () => {
  const { bank, log } = bankOn(served);
  bank.use([TEXTURE, CLICK]);
  bank.use([TEXTURE, CLICK]);
  await settled();
  bank.use([TEXTURE, CLICK]);
  await settled();
  assert.deepEqual(log.slice(0, 2), ['sounds/c1', 'sounds/t1']);
  assert.deepEqual(log.slice(2).sort(), ['loaded click', 'loaded texture']);
  assert.equal(bank.buffer('click'), 'decoded sounds/c1');
  assert.equal(bank.buffer('bell'), undefined);
});

test('a bank that was changed brings what is new and drops what is gone', async () => {
  const { bank, log } = bankOn(served);
  bank.use([TEXTURE, CLICK]);
  await settled();
  log.length = 0;
  bank.use([{ ...CLICK, hash: 'c2' }]);
  assert.equal(bank.buffer('click'), undefined, 'it is another click');
  await settled();
  assert.deepEqual(log, ['sounds/c2', 'loaded click']);
  assert.equal(bank.buffer('click'), 'decoded sounds/c2');
  assert.equal(bank.buffer('texture'), undefined);
});

test('one that cannot be had is said, tried again, and keeps no other waiting', async () => {
  let broken = true;
  const { bank, log, timers } = bankOn((url) =>
    broken && url.endsWith('c1') ? { ok: false, status: 404 } : served(url),
  );
  bank.use([CLICK, TEXTURE]);
  await settled();
  assert.ok(log.includes('failed click: the relay answered 404'));
  assert.equal(bank.buffer('texture'), 'decoded sounds/t1');
  broken = false;
  timers.forEach((run) => run());
  await settled();
  assert.equal(bank.buffer('click'), 'decoded sounds/c1');
});

test('a sound that the relay replaced is fetched anew, and the old one dropped', async () => {
  const { bank } = bankOn(served);
  bank.use([CLICK]);
  await settled();
  bank.use([{ ...CLICK, hash: 'c2' }]);
  assert.equal(bank.buffer('click'), undefined);
  await settled();
  assert.equal(bank.buffer('click'), 'decoded sounds/c2');
});
