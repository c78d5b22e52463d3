// The sounds on their way from the relay.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Bank, MAX_DECODED_BYTES } from '../bank/sound-bank.js';

const RATE = 48_000;
const MEBIBYTE = 2 ** 20;

/** A sound that takes so many MiB once decoded. */
function sound(name, hash, mebibytes, bytes = mebibytes * MEBIBYTE) {
  return { name, hash, bytes, frames: (mebibytes * MEBIBYTE) / 4, rate: RATE, channels: 1 };
}

const CLICK = sound('click', 'c1', 0.01, 10);
const TEXTURE = sound('texture', 't1', 0.02, 99);

/** A bank whose relay answers as `answer` says, with what happened in the order it happened. */
function bankOn(answer, uses) {
  const log = [];
  const timers = [];
  const bank = new Bank(
    async (file) => `decoded ${file}`,
    () => RATE,
    {
      changed: (name) => log.push(`${bank.isReady(name) ? 'loaded' : 'dropped'} ${name}`),
      failed: (name, why) => log.push(`failed ${name}: ${why}`),
    },
    uses,
    async (url) => {
      log.push(url);
      return answer(url);
    },
    (run, millis) => timers.push({ run, millis }),
  );
  const fetched = () => log.filter((line) => line.startsWith('sounds/'));
  return { bank, log, timers, fetched };
}

const served = (url) => ({ ok: true, status: 200, arrayBuffer: async () => url });
const settled = async () => {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('sounds are fetched by hash, the smallest first, and once', async () => {
  const { bank, log } = bankOn(served);
  bank.use([TEXTURE, CLICK]);
  bank.use([TEXTURE, CLICK]);
  await settled();
  bank.use([TEXTURE, CLICK]);
  await settled();
  assert.deepEqual(log.slice(0, 2), ['sounds/c1', 'sounds/t1']);
  assert.deepEqual(log.slice(2).sort(), ['loaded click', 'loaded texture']);
  assert.equal(bank.need('click'), 'decoded sounds/c1');
  assert.equal(bank.need('bell'), undefined);
});

test('a bank that was changed brings what is new and drops what is gone', async () => {
  const { bank, log } = bankOn(served);
  bank.use([TEXTURE, CLICK]);
  await settled();
  log.length = 0;
  bank.use([{ ...CLICK, hash: 'c2' }]);
  assert.equal(bank.isReady('click'), false, 'it is another click');
  await settled();
  assert.deepEqual(log, ['sounds/c2', 'loaded click']);
  assert.equal(bank.need('click'), 'decoded sounds/c2');
  assert.equal(bank.need('texture'), undefined);
});

test('one that cannot be had is said, tried again, and keeps no other waiting', async () => {
  let broken = true;
  const { bank, log, timers } = bankOn((url) =>
    broken && url.endsWith('c1') ? { ok: false, status: 404 } : served(url),
  );
  bank.use([CLICK, TEXTURE]);
  await settled();
  assert.ok(log.includes('failed click: the relay answered 404'));
  assert.equal(bank.need('texture'), 'decoded sounds/t1');
  broken = false;
  timers.forEach(({ run }) => run());
  await settled();
  assert.equal(bank.need('click'), 'decoded sounds/c1');
});

test('a relay that is asked too much is asked again a second later, without a word', async () => {
  let busy = true;
  const { bank, log, timers } = bankOn((url) => (busy ? { ok: false, status: 429 } : served(url)));
  bank.use([CLICK]);
  await settled();
  assert.deepEqual(log, ['sounds/c1']);
  assert.equal(timers[0].millis, 1000);
  busy = false;
  timers[0].run();
  await settled();
  assert.ok(bank.isReady('click'));
});

test('of thousands a few are asked for at once, and ahead of need as many as are likely', async () => {
  let open = 0;
  let most = 0;
  const { bank, fetched } = bankOn(async (url) => {
    open += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
    return served(url);
  });
  bank.use(Array.from({ length: 2000 }, (_, at) => sound(`s${at}`, `h${at}`, 0.25, 2000 - at)), ['s7']);
  for (let turn = 0; turn < 40; turn += 1) await settled();
  assert.ok(most <= 4, `${most} at once`);
  assert.equal(fetched().length, 256, '64 MiB');
  assert.equal(fetched()[0], 'sounds/h7');
  assert.equal(bank.isReady('s3'), false);
  bank.need('s3');
  await settled();
  assert.ok(bank.isReady('s3'), 'at its first need');
});

test('what is needed goes before what is likely, the last need first', async () => {
  const { bank, fetched } = bankOn(served);
  bank.use(Array.from({ length: 50 }, (_, at) => sound(`s${at}`, `h${at}`, 0.1, at)));
  bank.need('s40');
  bank.need('s41');
  await settled();
  assert.deepEqual(fetched().slice(4, 6), ['sounds/h41', 'sounds/h40']);
});

test('what was banged most in earlier visits is loaded first, after what is chosen', async () => {
  const { bank, fetched } = bankOn(served, [['s3', 5], ['s4', 9]]);
  bank.use(Array.from({ length: 6 }, (_, at) => sound(`s${at}`, `h${at}`, 0.1, at)), ['s5']);
  await settled();
  assert.deepEqual(fetched().slice(0, 3), ['sounds/h5', 'sounds/h4', 'sounds/h3']);
  bank.count('s3');
  assert.deepEqual(bank.uses, [['s4', 9], ['s3', 6]]);
});

test('decoded sounds are bounded: the one that was needed longest ago makes room', async () => {
  const { bank, log } = bankOn(served);
  const size = MAX_DECODED_BYTES / MEBIBYTE / 4;
  bank.use(Array.from({ length: 6 }, (_, at) => sound(`s${at}`, `h${at}`, size)));
  await settled();
  assert.ok(bank.isReady('s0') && !bank.isReady('s1'), 'one of them is likely enough');
  for (const name of ['s1', 's2', 's3', 's0', 's4']) {
    bank.need(name);
    await settled();
  }
  assert.ok(log.includes('dropped s1'));
  assert.deepEqual(['s0', 's1', 's2', 's3', 's4'].filter((name) => bank.isReady(name)), ['s0', 's2', 's3', 's4']);
  bank.need('s1');
  await settled();
  assert.ok(bank.isReady('s1'), 'it comes again when it is needed');
});

test('a sound that no memory could hold is refused with a word, once', async () => {
  const { bank, log, fetched } = bankOn(served);
  bank.use([sound('day', 'd', 300), CLICK]);
  for (let turn = 0; turn < 3; turn += 1) bank.need('day');
  await settled();
  assert.deepEqual(fetched(), ['sounds/c1']);
  assert.equal(log.filter((line) => line.startsWith('failed day: it is too long: 300 MiB')).length, 1);
});
