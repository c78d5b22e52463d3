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
  notes = [];
  connected = true;
  uploads;
  shown = [];

  constructor() {
    this.requests = new Requests((message) => this.connected && this.sent.push(message) > 0);
    this.uploads = new Uploads({
      requests: this.requests,
      put: (path, sentFile, onProgress) => {
        const put = { path, file: sentFile, onProgress, isAborted: false };
        const answer = new Promise((resolve) => (put.answer = (status, text = '') => resolve({ status, text })));
        this.puts.push(put);
        return { answer, abort: () => (put.isAborted = true) };
      },
      ui: { notify: (text) => this.notes.push(text), bank: { showUploads: (uploads) => (this.shown = uploads) } },
      setTimer: (run, millis) => this.timers.push({ run, millis }),
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

  runTimers() {
    for (const { run } of this.timers.splice(0)) run();
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
    assert.equal(world.timers[0].millis, 1000 * 2 ** turn);
    world.runTimers();
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
  world.runTimers();
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
    assert.deepEqual(world.timers, []);
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
