// The image of a QR code.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { qrImage } from '../net/qr.js';

const LINK = 'http://192.168.1.5:3000/#token=s3cret';
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path fill="#000" d="M0 0é"/></svg>';

const made = { ok: true, status: 200, text: async () => SVG };
const refused = (status) => ({ ok: false, status, text: async () => 'too many QR codes; wait a second\n' });

/** Asks a relay that gives these answers, one after the other; the last one again and again. */
async function ask(...answers) {
  const requests = [];
  const waits = [];
  const image = await qrImage(
    LINK,
    async (url, request) => {
      requests.push({ url, ...request });
      const answer = answers[Math.min(requests.length, answers.length) - 1];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    (run, millis) => {
      waits.push(millis);
      run();
    },
  );
  return { image, requests, waits };
}

test('the relay is asked with the text, and its SVG becomes the URL of an image', async () => {
  const { image, requests, waits } = await ask(made);
  const [{ url, method, body, cache, signal }] = requests;
  assert.deepEqual([url, method, body, cache], ['qr', 'POST', LINK, 'no-store']);
  assert.equal(signal.aborted, false);
  assert.deepEqual([requests.length, waits], [1, []]);
  // A `#` that is not escaped would end the image.
  assert.match(image, /^data:image\/svg\+xml,[^#<>" ]+$/);
  assert.equal(await (await fetch(image)).text(), SVG);
});

test('a request without an answer ends after four seconds', async (context) => {
  const timeouts = [];
  context.mock.method(AbortSignal, 'timeout', (millis) => {
    timeouts.push(millis);
    return AbortSignal.abort();
  });
  const image = await qrImage(LINK, async (url, { signal }) => {
    signal.throwIfAborted();
    return made;
  });
  assert.deepEqual([image, timeouts], [null, [4000]]);
});

test('a browser that cannot end a request asks as well', async (context) => {
  const { timeout } = AbortSignal;
  context.after(() => (AbortSignal.timeout = timeout));
  AbortSignal.timeout = undefined;
  const { image, requests } = await ask(made);
  assert.ok(image?.startsWith('data:'));
  assert.equal(requests[0].signal, undefined);
});

test('where the relay makes no code there is no image, and it is not asked again', async () => {
  for (const status of [400, 403, 404, 408, 413, 500, 503]) {
    const { image, requests } = await ask(refused(status), made);
    assert.deepEqual([image, requests.length], [null, 1], String(status));
  }
});

test('without a network there is no image', async () => {
  const { image, requests } = await ask(new TypeError('Failed to fetch'), made);
  assert.deepEqual([image, requests.length], [null, 1]);
});

test('an answer that breaks off is no image', async () => {
  const text = () => Promise.reject(new TypeError('network error'));
  assert.equal((await ask({ ...made, text })).image, null);
});

test('beyond the limit of the relay it is asked again a second later', async () => {
  const { image, requests, waits } = await ask(refused(429), refused(429), made);
  assert.ok(image?.startsWith('data:'));
  assert.deepEqual(requests.map(({ body }) => body), [LINK, LINK, LINK]);
  assert.deepEqual(waits, [1000, 1000]);
});

test('a relay that stays at its limit is asked five times', async () => {
  const { image, requests, waits } = await ask(refused(429));
  assert.deepEqual([image, requests.length, waits.length], [null, 5, 4]);
});

test('what ends the requests after a refusal for the limit ends them all', async () => {
  for (const answer of [refused(503), new TypeError('Failed to fetch')]) {
    const { image, requests } = await ask(refused(429), answer, made);
    assert.deepEqual([image, requests.length], [null, 2]);
  }
});
