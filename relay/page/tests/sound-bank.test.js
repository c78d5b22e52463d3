// Loading and caching of sounds.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MAX_DECODED_BYTES, SoundBank } from '../bank/sound-bank.js';

const RATE = 48_000;
const MEBIBYTE = 2 ** 20;

/** A sound that takes so many MiB once decoded. */
function sound(name, hash, mebibytes, bytes = mebibytes * MEBIBYTE) {
  return { name, hash, bytes, frames: (mebibytes * MEBIBYTE) / 4, rate: RATE, channels: 1 };
}

const CLICK = sound('click', 'c1', 0.01, 10);
const TEXTURE = sound('texture', 't1', 0.02, 99);

/** A bank whose relay answers with `answer`, and a log of all events. */
function bankOn(answer, uses) {
  const log = [];
  const timers = [];
  const bank = new SoundBank(
    async (file) => ({ buffer: `decoded ${file}`, peaks: `peaks of ${file}` }),
    () => RATE,
    {
      changed: (name) => log.push(`${bank.isReady(name) ? 'loaded' : 'evicted'} ${name}`),
      failed: (name, reason) => log.push(`failed ${name}: ${reason}`),
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
  bank.replace([TEXTURE, CLICK]);
  bank.replace([TEXTURE, CLICK]);
  await settled();
  bank.replace([TEXTURE, CLICK]);
  await settled();
  assert.deepEqual(log.slice(0, 2), ['sounds/c1', 'sounds/t1']);
  assert.deepEqual(log.slice(2).sort(), ['loaded click', 'loaded texture']);
  assert.equal(bank.request('click'), 'decoded sounds/c1');
  assert.equal(bank.request('bell'), undefined);
});

test('a changed bank loads new sounds and drops removed ones', async () => {
  const { bank, log } = bankOn(served);
  bank.replace([TEXTURE, CLICK]);
  await settled();
  log.length = 0;
  bank.replace([{ ...CLICK, hash: 'c2' }]);
  assert.equal(bank.isReady('click'), false, 'its hash has changed');
  await settled();
  assert.deepEqual(log, ['sounds/c2', 'loaded click']);
  assert.equal(bank.request('click'), 'decoded sounds/c2');
  assert.equal(bank.request('texture'), undefined);
});

test('a failed sound is reported and retried, and delays no other', async () => {
  let broken = true;
  const { bank, log, timers } = bankOn((url) =>
    broken && url.endsWith('c1') ? { ok: false, status: 404 } : served(url),
  );
  bank.replace([CLICK, TEXTURE]);
  await settled();
  assert.ok(log.includes('failed click: the relay answered 404'));
  assert.equal(bank.request('texture'), 'decoded sounds/t1');
  broken = false;
  timers.forEach(({ run }) => run());
  await settled();
  assert.equal(bank.request('click'), 'decoded sounds/c1');
});

test('after status 429 a sound is retried a second later, without a report', async () => {
  let busy = true;
  const { bank, log, timers } = bankOn((url) => (busy ? { ok: false, status: 429 } : served(url)));
  bank.replace([CLICK]);
  await settled();
  assert.deepEqual(log, ['sounds/c1']);
  assert.equal(timers[0].millis, 1000);
  busy = false;
  timers[0].run();
  await settled();
  assert.ok(bank.isReady('click'));
});

test('of thousands of sounds a few are loaded at once, 64 MiB are decoded, and 64 MiB of other files kept', async () => {
  let open = 0;
  let max = 0;
  const { bank, fetched } = bankOn(async (url) => {
    open += 1;
    max = Math.max(max, open);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
    return served(url);
  });
  bank.replace(Array.from({ length: 2000 }, (_, at) => sound(`s${at}`, `h${at}`, 0.25, 2 ** 17)), ['s7']);
  for (let turn = 0; turn < 80; turn += 1) await settled();
  assert.ok(max <= 4, `${max} at once`);
  assert.equal(fetched().length, 256 + 512);
  assert.equal(fetched()[0], 'sounds/h7');
  const decoded = Array.from({ length: 2000 }, (_, at) => `s${at}`).filter((name) => bank.isReady(name));
  assert.equal(decoded.length, 256);
  const { ready, missing } = bank.standing;
  assert.deepEqual([ready, missing.length], [256 + 512, 16]);
  for (const [name, why] of [['s500', 'its file is there'], ['s1500', 'it is fetched']]) {
    assert.equal(bank.isReady(name), false);
    bank.request(name);
    await settled();
    assert.ok(bank.isReady(name), why);
  }
  assert.deepEqual(fetched().slice(256 + 512), ['sounds/h1500']);
});

test('requested sounds are loaded before prefetched ones, the last request first', async () => {
  const { bank, fetched } = bankOn(served);
  bank.replace(Array.from({ length: 50 }, (_, at) => sound(`s${at}`, `h${at}`, 0.1, at)));
  bank.request('s40');
  bank.request('s41');
  await settled();
  assert.deepEqual(fetched().slice(4, 6), ['sounds/h41', 'sounds/h40']);
});

test('the most used sounds of earlier visits are loaded first, after the chosen one', async () => {
  const { bank, fetched } = bankOn(served, [['s3', 5], ['s4', 9]]);
  bank.replace(Array.from({ length: 6 }, (_, at) => sound(`s${at}`, `h${at}`, 0.1, at)), ['s5']);
  await settled();
  assert.deepEqual(fetched().slice(0, 3), ['sounds/h5', 'sounds/h4', 'sounds/h3']);
  bank.countUse('s3');
  assert.deepEqual(bank.uses, [['s4', 9], ['s3', 6]]);
});

test('decoded sounds are bounded: the least recently used one is evicted', async () => {
  const { bank, log } = bankOn(served);
  const size = MAX_DECODED_BYTES / MEBIBYTE / 4;
  bank.replace(Array.from({ length: 6 }, (_, at) => sound(`s${at}`, `h${at}`, size)));
  await settled();
  assert.ok(bank.isReady('s0') && !bank.isReady('s1'), 'only one fits into the prefetch limit');
  for (const name of ['s1', 's2', 's3', 's0', 's4']) {
    bank.request(name);
    await settled();
  }
  assert.ok(log.includes('evicted s1'));
  assert.deepEqual(['s0', 's1', 's2', 's3', 's4'].filter((name) => bank.isReady(name)), ['s0', 's2', 's3', 's4']);
  bank.request('s1');
  await settled();
  assert.ok(bank.isReady('s1'), 'it is loaded again on its next use');
});

test('a sound above the memory limit is reported once', async () => {
  const { bank, log, fetched } = bankOn(served);
  bank.replace([sound('day', 'd', 300), CLICK]);
  for (let turn = 0; turn < 3; turn += 1) bank.request('day');
  await settled();
  assert.deepEqual(fetched(), ['sounds/c1']);
  assert.equal(log.filter((line) => line.startsWith('failed day: it takes 300 MiB')).length, 1);
});

test('sounds in sight are prefetched before the others, and evict nothing', async () => {
  const { bank, fetched } = bankOn(served);
  const sounds = Array.from({ length: 10 }, (_, at) => sound(`s${at}`, `h${at}`, 10, at));
  bank.replace(sounds);
  bank.prefer(['s9', 'gone', 's8']);
  await settled();
  // Four were on their way; six of ten MiB fit. Of the others, the files are kept.
  const order = ['h0', 'h1', 'h2', 'h3', 'h9', 'h8', 'h4', 'h5', 'h6', 'h7'];
  assert.deepEqual(fetched(), order.map((hash) => `sounds/${hash}`));
  assert.deepEqual([bank.isReady('s8'), bank.isReady('s4')], [true, false]);
});

test('the first sound has the network for itself, unless another is requested', async () => {
  const waiting = [];
  const { bank, fetched } = bankOn((url) => new Promise((resolve) => waiting.push(() => resolve(served(url)))));
  bank.replace(Array.from({ length: 6 }, (_, at) => sound(`s${at}`, `h${at}`, 0.1, at)), ['gone', 's5']);
  await settled();
  assert.deepEqual(fetched(), ['sounds/h5']);
  bank.request('s2');
  await settled();
  assert.deepEqual(fetched(), ['sounds/h5', 'sounds/h2']);
  waiting[0]();
  await settled();
  assert.equal(fetched().length, 5, 'then four at once');
});

test('at another rate everything is decoded again', async () => {
  const { bank, log } = bankOn(served);
  bank.replace([CLICK]);
  await settled();
  assert.deepEqual(bank.standing, { ready: 1, missing: [] });
  bank.rateChanged();
  assert.deepEqual(bank.standing, { ready: 0, missing: ['click'] });
  await settled();
  assert.deepEqual(log, ['sounds/c1', 'loaded click', 'evicted click', 'sounds/c1', 'loaded click']);});
