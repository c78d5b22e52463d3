// What the page says, and for how long.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Messages } from '../ui/status-line.js';

function speaking() {
  const world = { shown: null, timer: null };
  world.messages = new Messages(
    (said) => (world.shown = said?.words ?? null),
    (run) => (world.timer = run),
    () => (world.timer = null),
  );
  return world;
}

test('a message goes by itself and uncovers the notice', () => {
  const world = speaking();
  world.messages.notice('No relay.');
  world.messages.say('Nobody heard that.');
  assert.equal(world.shown, 'Nobody heard that.');
  world.timer();
  assert.equal(world.shown, 'No relay.');
  assert.equal(world.timer, null, 'a notice stays');
});

test('a notice that is said again does not take a message back, another one does', () => {
  const world = speaking();
  world.messages.notice('No relay.');
  world.messages.say('Nobody heard that.');
  world.messages.notice('No relay.');
  assert.equal(world.shown, 'Nobody heard that.');
  world.messages.notice('Wrong token.');
  assert.equal(world.shown, 'Wrong token.');
});

test('when all is well nothing is said', () => {
  const world = speaking();
  world.messages.notice('No relay.');
  world.messages.say('Nobody heard that.');
  world.messages.notice(null);
  assert.equal(world.shown, null);
  world.messages.say('It came too late.');
  world.messages.notice(null);
  assert.equal(world.shown, 'It came too late.', 'nothing was wrong before');
});

test('what is true no more is taken back, and nothing else is', () => {
  const world = speaking();
  world.messages.say('It loads.');
  world.messages.takeBack('Something else.');
  assert.equal(world.shown, 'It loads.');
  world.messages.takeBack('It loads.');
  assert.equal(world.shown, null);
  world.messages.say('It came too late.');
  world.messages.takeBack('It loads.');
  assert.equal(world.shown, 'It came too late.');
});
