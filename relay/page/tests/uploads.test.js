// Uploads of files.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Requests } from '../session/requests.js';
import { Uploads } from '../session/uploads.js';

const WAV = 'RIFF\x24\0\0\0WAVE';

/** A file that begins with `content`. */
const file = (name, size = 1000, content = WAV) => ({
  name,
  size,
  slice: () => ({ arrayBuffer: async () => Uint8Array.from(content, (char) => char.charCodeAt(0)).buffer }),
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

class World {
  sent = [];
  puts = [];
  timers = [];
  now = 0;
  notes = [];
  connected = true;
  isPlaceValid = true;
  uploads;
  shown = [];

  constructor() {
    this.requests = new Requests((message) => this.connected && this.sent.push(message) > 0);
    this.uploads = new Uploads({
      requests: this.requests,
      put: (path, sentFile, onProgress) => {
        if (!this.isPlaceValid) throw new SyntaxError('invalid URL');
        const put = { path, file: sentFile, onProgress, isAborted: false };
        const answer = new Promise((resolve) => (put.answer = (status, text = '') => resolve({ status, text })));
        this.puts.push(put);
        return { answer, abort: () => (put.isAborted = true) };
      },
      ui: { notify: (text) => this.notes.push(text), bank: { showUploads: (uploads) => (this.shown = uploads) } },
      setTimer: (run, millis) => this.timers.push({ run, millis }),
      now: () => this.now,
    });
  }

  get states() {
    return this.shown.map(({ state }) => state);
  }

  /** The relay accepts the last request of an upload. */
  accept(at = this.sent.length - 1) {
    this.requests.ready(this.sent[at].ack, `uploads/${at}`);
  }

  async answer(status, text) {
    this.puts.at(-1).answer(status, text);
    await settled();
  }

  /** Lets time pass, and runs what was to wait for so long. @returns {number} how much that was */
  wait(millis) {
    this.now += millis;
    const due = this.timers.filter((timer) => timer.millis === millis);
    this.timers = this.timers.filter((timer) => timer.millis !== millis);
    for (const { run } of due) run();
    return due.length;
  }
}

/** A world in which one file is being sent. */
async function sending() {
  const world = new World();
  await world.uploads.add([file('kick.wav')]);
  world.accept();
  return world;
}

test('a file is checked, announced, sent with progress, and done under the name that the relay gives', async () => {
  const world = await sending();
  const { ack, ...request } = world.sent[0];
  assert.deepEqual(request, { type: 'upload', name: 'kick', bytes: 1000 });
  assert.equal(world.puts[0].path, 'uploads/0');
  world.puts[0].onProgress(400);
  assert.deepEqual([world.shown[0].state, world.shown[0].sent], ['sending', 400]);
  await world.answer(201, '{"name":"kick 2","hash":"aa"}');
  assert.deepEqual([world.shown[0].state, world.shown[0].sound, world.shown[0].sent], ['done', 'kick 2', 1000]);
  world.uploads.clear();
  assert.deepEqual(world.shown, []);
});

test('what is no sound is not sent, and stays in the list with the reason', async () => {
  const world = new World();
  await world.uploads.add([file('cat.png', 9, '\x89PNG'), file('empty.wav', 0), file('kick.wav')]);
  assert.deepEqual(world.states, ['failed', 'failed', 'asking']);
  assert.match(world.shown[0].problem, /no sound that the relay reads/);
  assert.equal(world.sent.length, 1);
  world.uploads.retry(world.shown[0].id);
  assert.equal(world.states[0], 'failed', 'it would not work another time');
});

test('two files are sent at a time', async () => {
  const world = new World();
  await world.uploads.add(['a', 'b', 'c', 'd'].map((name) => file(`${name}.wav`)));
  assert.deepEqual(world.states, ['asking', 'asking', 'waiting', 'waiting']);
  world.accept(0);
  world.accept(1);
  assert.equal(world.puts.length, 2);
  world.puts[0].answer(201, '{}');
  await settled();
  assert.deepEqual(world.states, ['done', 'sending', 'asking', 'waiting']);
});

test('an upload that breaks off is sent again from its start, to the same path, later each time', async () => {
  const world = await sending();
  for (const [turn, status] of [0, 400, 408, 429, 503].entries()) {
    await world.answer(status);
    assert.equal(world.shown[0].state, 'interrupted');
    assert.equal(world.wait(1000 * 2 ** turn), 1);
    assert.deepEqual([world.shown[0].state, world.shown[0].sent], ['sending', 0]);
  }
  assert.deepEqual(new Set(world.puts.map(({ path }) => path)), new Set(['uploads/0']));
  await world.answer(0);
  assert.equal(world.shown[0].state, 'failed');
  assert.match(world.shown[0].problem, /broke off 6 times/);
  world.uploads.retry(world.shown[0].id);
  assert.equal(world.shown[0].state, 'asking');
});

test('where the relay has ended the upload, a new one is asked for', async () => {
  const world = await sending();
  await world.answer(404);
  world.wait(1000);
  assert.equal(world.shown[0].state, 'asking');
  world.accept();
  assert.equal(world.puts.at(-1).path, 'uploads/1');
});

test('what the relay cannot take is told in words', async () => {
  for (const [status, text, words] of [
    [415, 'the file has no frames', /cannot read it: the file has no frames\.$/],
    [413, '', /larger than the relay allows/],
    [507, '', /no space/],
    [418, '', /answered 418/],
  ]) {
    const world = await sending();
    await world.answer(status, text);
    assert.equal(world.shown[0].state, 'failed');
    assert.match(world.shown[0].problem, words);
    assert.equal(world.wait(1000), 0);
  }
});

test('a refusal by the relay is told with the file, and can be tried again', async () => {
  const world = new World();
  await world.uploads.add([file('kick.wav')]);
  world.requests.refused({ ack: 1, code: 'full', message: 'the bank is full' });
  assert.match(world.shown[0].problem, /the bank is full\.$/);
  world.uploads.retry(world.shown[0].id);
  assert.equal(world.shown[0].state, 'asking');
});

test('without a connection files wait for the next one', async () => {
  const world = new World();
  world.connected = false;
  await world.uploads.add([file('a.wav')]);
  assert.deepEqual(world.states, ['waiting']);
  world.connected = true;
  world.uploads.connected();
  assert.deepEqual(world.states, ['asking']);
  world.requests.disconnected();
  world.uploads.connected();
  assert.equal(world.sent.length, 2);
});

test('a cancelled upload ends, and the next one begins', async () => {
  const world = new World();
  await world.uploads.add(['a', 'b', 'c'].map((name) => file(`${name}.wav`)));
  world.accept(0);
  world.uploads.remove(world.shown[0].id);
  assert.equal(world.puts[0].isAborted, true);
  assert.deepEqual(world.states, ['asking', 'asking']);
  await world.answer(0);
  assert.deepEqual(world.states, ['asking', 'asking'], 'its end changes nothing');
});

test('at most 256 files are listed, and what is beyond is told', async () => {
  const world = new World();
  await world.uploads.add(Array.from({ length: 300 }, (_, at) => file(`${at}.wav`)));
  assert.equal(world.shown.length, 256);
  assert.match(world.notes[0], /^44 files were not added/);
});

test('a folder cannot be read, and is told so', async () => {
  const world = new World();
  const folder = { name: 'drums', size: 4096, slice: () => ({ arrayBuffer: async () => Promise.reject(new Error()) }) };
  await world.uploads.add([folder]);
  assert.match(world.shown[0].problem, /A folder cannot be added/);
});

test('a relay that does not answer is asked again, and any answer will do', async () => {
  const world = new World();
  await world.uploads.add([file('a.wav')]);
  for (const asked of [2, 3]) {
    world.wait(5000);
    assert.deepEqual([world.sent.length, world.states], [asked, ['asking']]);
  }
  world.accept(1);
  assert.deepEqual(world.puts.map(({ path }) => path), ['uploads/1']);
  world.accept(2);
  assert.equal(world.requests.refused({ ack: world.sent[0].ack, code: 'full', message: '' }), true);
  world.requests.disconnected();
  world.wait(5000);
  assert.deepEqual([world.sent.length, world.puts.length, world.states], [3, 1, ['sending']]);
});

test('a relay is not asked again over another connection than the one that was lost', async () => {
  const world = new World();
  await world.uploads.add([file('a.wav')]);
  world.connected = false;
  world.requests.disconnected();
  assert.equal(world.wait(5000), 1);
  assert.deepEqual(world.states, ['waiting']);
  world.connected = true;
  world.uploads.connected();
  world.uploads.remove(world.shown[0].id);
  world.wait(5000);
  assert.deepEqual([world.sent.length, world.shown], [2, []]);
});

test('a file that the relay still decodes is waited for', async () => {
  const world = await sending();
  await world.answer(0);
  world.wait(1000);
  for (let turn = 0; turn < 10; turn += 1) {
    await world.answer(409);
    assert.deepEqual([world.states, world.shown[0].sent], [['decoding'], 1000]);
    world.wait(500);
    world.puts.at(-1).onProgress(400);
    assert.deepEqual([world.states, world.shown[0].sent], [['decoding'], 1000], 'the relay has all of it');
  }
  assert.deepEqual(new Set(world.puts.map(({ path }) => path)), new Set(['uploads/0']));
  await world.answer(201, '{"name":"kick"}');
  assert.deepEqual(world.states, ['done']);
});

test('a relay that decodes a file for two minutes is asked no longer', async () => {
  const world = await sending();
  let asked = 0;
  for (await world.answer(409); world.states[0] === 'decoding'; await world.answer(409)) {
    asked += 1;
    assert.equal(world.wait(500), 1);
  }
  assert.equal(asked, 240);
  assert.match(world.shown[0].problem, /does not say whether it can read it/);
  world.uploads.retry(world.shown[0].id);
  world.accept();
  await world.answer(409);
  assert.deepEqual(world.states, ['decoding'], 'another attempt has its own time');
});

test('a place that is none fails the upload, and the next one begins', async () => {
  const world = new World();
  await world.uploads.add(['a', 'b', 'c'].map((name) => file(`${name}.wav`)));
  world.isPlaceValid = false;
  world.accept(0);
  await settled();
  assert.deepEqual(world.states, ['failed', 'asking', 'asking']);
  assert.match(world.shown[0].problem, /no valid place/);
  assert.equal(world.shown[0].mayRetry, true);
});
