// Sending a file, with an XMLHttpRequest whose network is the test.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { putFile } from '../net/upload.js';
import { Requests } from '../session/requests.js';
import { Uploads } from '../session/uploads.js';

const FILE = new File(['RIFF\x24\0\0\0WAVE'], 'kick.wav');

/** As much of an XMLHttpRequest as is used. */
class FakeRequest {
  status = 0;
  responseText = '';
  upload = { onprogress: null };
  onloadend = null;
  #state = 'unsent';
  #tellsProgress = false;

  constructor() {
    requests.push(this);
  }

  open(method, path) {
    // As a browser does.
    new URL(path, 'http://relay:3000/');
    Object.assign(this, { method, path });
    this.#state = 'opened';
  }

  send(body) {
    assert.equal(this.#state, 'opened');
    this.body = body;
    this.#state = 'sent';
    // A browser tells no progress to a listener that is added later.
    this.#tellsProgress = this.upload.onprogress !== null;
  }

  abort() {
    if (this.#state === 'sent') this.end(0, '');
    // An aborted request forgets its answer.
    Object.assign(this, { status: 0, responseText: '' });
  }

  progress(loaded) {
    if (this.#tellsProgress && this.#state === 'sent') this.upload.onprogress({ loaded, total: FILE.size });
  }

  /** The relay answers, or the connection breaks off: status 0. */
  end(status, responseText) {
    assert.equal(this.#state, 'sent');
    this.#state = 'done';
    Object.assign(this, { status, responseText });
    this.onloadend?.();
  }
}

let requests = [];

beforeEach(() => {
  requests = [];
  globalThis.XMLHttpRequest = FakeRequest;
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A file that is being sent, with what is told about it. */
function sending(path = 'uploads/6f1e') {
  const told = { progress: [], answers: [] };
  const { answer, abort } = putFile(path, FILE, (sent) => told.progress.push(sent));
  answer.then((given) => told.answers.push(given));
  return { told, abort, request: requests.at(-1) };
}

test('a file is put to its path, as it is', () => {
  const { request } = sending();
  assert.deepEqual([request.method, request.path, requests.length], ['PUT', 'uploads/6f1e', 1]);
  assert.equal(request.body, FILE);
});

test('progress is told in bytes, and the answer once the relay has given it', async () => {
  const { told, request } = sending();
  for (const bytes of [0, 5, 12]) request.progress(bytes);
  await settled();
  assert.deepEqual(told, { progress: [0, 5, 12], answers: [] });
  request.end(201, '{"name":"kick","hash":"aa"}');
  await settled();
  assert.deepEqual(told.answers, [{ status: 201, text: '{"name":"kick","hash":"aa"}' }]);
});

test('a refusal comes with its text, also before the whole file is sent', async () => {
  for (const [status, text] of [
    [404, 'there is no such upload\n'],
    [413, ''],
    [415, 'the file has no frames\n'],
    [507, 'no space\n'],
  ]) {
    const { told, request } = sending();
    request.progress(5);
    request.end(status, text);
    await settled();
    assert.deepEqual(told, { progress: [5], answers: [{ status, text }] });
  }
});

test('a connection that breaks off is an answer with status 0', async () => {
  const { told, request } = sending();
  request.progress(5);
  request.end(0, '');
  await settled();
  assert.deepEqual(told.answers, [{ status: 0, text: '' }]);
});

test('an upload can be aborted, and ends with status 0', async () => {
  const { told, abort, request } = sending();
  request.progress(5);
  abort();
  request.progress(12);
  abort();
  await settled();
  assert.deepEqual(told, { progress: [5], answers: [{ status: 0, text: '' }] });
});

test('an abort after the answer changes nothing', async () => {
  const { told, abort, request } = sending();
  request.end(201, '{}');
  abort();
  await settled();
  assert.deepEqual(told.answers, [{ status: 201, text: '{}' }]);
});

test('files that are sent at once do not affect each other', async () => {
  const [one, other] = [sending('uploads/1'), sending('uploads/2')];
  one.request.progress(3);
  other.request.progress(7);
  one.abort();
  await settled();
  assert.deepEqual(one.told, { progress: [3], answers: [{ status: 0, text: '' }] });
  assert.deepEqual(other.told, { progress: [7], answers: [] });
  other.request.end(201, '{}');
  await settled();
  assert.deepEqual(other.told.answers, [{ status: 201, text: '{}' }]);
});

test('the list of uploads sends again what broke off, and aborts what is removed', async () => {
  const timers = [];
  let shown = [];
  const relay = new Requests(() => true);
  const uploads = new Uploads({
    requests: relay,
    put: putFile,
    ui: { bank: { showUploads: (all) => (shown = all) } },
    setTimer: (run, millis) => timers.push({ run, millis }),
  });
  await uploads.add([FILE]);
  relay.ready(1, 'uploads/6f1e');
  requests[0].progress(5);
  assert.deepEqual([shown[0].state, shown[0].sent], ['sending', 5]);
  requests[0].end(0, '');
  await settled();
  assert.equal(shown[0].state, 'interrupted');
  timers.find(({ millis }) => millis === 1000).run();
  assert.deepEqual([requests[1].path, requests[1].body, shown[0].sent], ['uploads/6f1e', FILE, 0]);
  requests[1].progress(7);
  uploads.remove(shown[0].id);
  requests[1].progress(9);
  await settled();
  assert.deepEqual([shown, requests.length], [[], 2]);
  assert.throws(() => requests[1].end(201, '{}'), 'it is aborted');
});

test('a path that is none fails the upload', async () => {
  let shown = [];
  const relay = new Requests(() => true);
  const ui = { bank: { showUploads: (all) => (shown = all) } };
  const uploads = new Uploads({ requests: relay, put: putFile, ui, setTimer: () => {} });
  await uploads.add([FILE]);
  relay.ready(1, 'http://[');
  await settled();
  assert.deepEqual([shown[0].state, shown[0].problem], ['failed', 'The relay has named no valid place to send it to.']);
});
