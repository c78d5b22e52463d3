// The status line.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { StatusLine } from '../ui/status-line.js';

function statusLine() {
  const world = { shown: null, timer: null };
  world.line = new StatusLine(
    (shown) => (world.shown = shown?.text ?? null),
    (run) => (world.timer = run),
    () => (world.timer = null),
  );
  return world;
}

test('a notification ends by itself and uncovers the status', () => {
  const world = statusLine();
  world.line.setStatus('No relay.');
  world.line.notify('The bang was not sent.');
  assert.equal(world.shown, 'The bang was not sent.');
  world.timer();
  assert.equal(world.shown, 'No relay.');
  assert.equal(world.timer, null, 'a status stays');
});

test('a new status ends a notification, the same status does not', () => {
  const world = statusLine();
  world.line.setStatus('No relay.');
  world.line.notify('The bang was not sent.');
  world.line.setStatus('No relay.');
  assert.equal(world.shown, 'The bang was not sent.');
  world.line.setStatus('Wrong token.');
  assert.equal(world.shown, 'Wrong token.');
});

test('without a status nothing is shown', () => {
  const world = statusLine();
  world.line.setStatus('No relay.');
  world.line.notify('The bang was not sent.');
  world.line.setStatus(null);
  assert.equal(world.shown, null);
  world.line.notify('It came too late.');
  world.line.setStatus(null);
  assert.equal(world.shown, 'It came too late.', 'nothing has changed');
});

test('a notification is dismissed by its text alone', () => {
  const world = statusLine();
  world.line.notify('It loads.');
  world.line.dismiss('Something else.');
  assert.equal(world.shown, 'It loads.');
  world.line.dismiss('It loads.');
  assert.equal(world.shown, null);
  world.line.notify('It came too late.');
  world.line.dismiss('It loads.');
  assert.equal(world.shown, 'It came too late.');
});
