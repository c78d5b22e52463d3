// Requests and their answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Requests } from '../session/requests.js';

function world() {
  const sent = [];
  const state = { connected: true };
  const log = [];
  const requests = new Requests((message) => state.connected && sent.push(message) > 0);
  const answers = (name) => ({
    done: () => log.push(`${name} done`),
    ready: (path) => log.push(`${name} ready ${path}`),
    refused: ({ code }) => log.push(`${name} refused ${code}`),
    lost: () => log.push(`${name} lost`),
  });
  return { requests, sent, state, log, answers };
}

test('each request has a number, and its answer finds it once', () => {
  const { requests, sent, log, answers } = world();
  requests.send({ type: 'lock', locked: true }, answers('a'));
  requests.send({ type: 'upload' }, answers('b'));
  requests.send({ type: 'lock', locked: false }, answers('c'));
  assert.deepEqual(sent[0], { type: 'lock', locked: true, ack: 1 });
  assert.deepEqual(sent.map(({ ack }) => ack), [1, 2, 3]);
  requests.ready(2, 'uploads/x');
  requests.acked(1);
  requests.acked(1);
  assert.equal(requests.refused({ ack: 3, code: 'full', message: 'x' }), true);
  assert.equal(requests.refused({ ack: 3, code: 'full', message: 'x' }), false);
  assert.deepEqual(log, ['b ready uploads/x', 'a done', 'c refused full']);
  assert.equal(requests.number(), 4);
});

test('a refusal that nobody handles is the session’s to show', () => {
  const { requests } = world();
  requests.send({ type: 'lock', locked: true });
  assert.equal(requests.refused({ ack: 1, code: 'full', message: 'x' }), false);
});

test('with the connection, all answers are lost; without one, nothing is sent', () => {
  const { requests, sent, state, log, answers } = world();
  requests.send({ type: 'a' }, answers('a'));
  requests.send({ type: 'b' }, answers('b'));
  requests.disconnected();
  requests.acked(1);
  state.connected = false;
  assert.equal(requests.send({ type: 'c' }, answers('c')), false);
  assert.deepEqual(log, ['a lost', 'b lost']);
  assert.equal(sent.length, 2);
});

test('open requests are bounded: the oldest is forgotten', () => {
  const { requests, log, answers } = world();
  for (let at = 1; at <= 600; at += 1) requests.send({ type: 'x' }, answers(at));
  requests.acked(1);
  requests.acked(600);
  assert.deepEqual(log, ['600 done']);
});
