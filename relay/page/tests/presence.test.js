// What happens to the page as a whole: visibility, networks, the screen, the output.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OutputWatch } from '../session/output-watch.js';
import { Presence } from '../session/presence.js';
import { WakeLock } from '../session/wake-lock.js';
import { callsOf, recorder } from './fakes.js';

function page() {
  const log = [];
  const parts = Object.fromEntries(
    ['connection', 'outputWatch', 'roomWatch', 'wakeLock'].map((name) => [name, recorder(name, log)]),
  );
  const document = Object.assign(new EventTarget(), { hidden: false });
  const connection = new EventTarget();
  const window = Object.assign(new EventTarget(), { navigator: { connection } });
  new Presence(parts).listen(window, document);
  const methods = () => log.splice(0).map(([method]) => method);
  return { document, window, connection, methods };
}

const SHOWN = ['connection.suspect', 'outputWatch.pageShown', 'wakeLock.refresh'];

test('a page that is shown again checks its connection, its output and its screen', () => {
  const { document, methods } = page();
  document.hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  assert.deepEqual(methods(), ['roomWatch.refresh']);
  document.hidden = false;
  document.dispatchEvent(new Event('visibilitychange'));
  assert.deepEqual(methods(), [...SHOWN, 'roomWatch.refresh']);
  document.dispatchEvent(new Event('resume'));
  assert.deepEqual(methods(), SHOWN);
});

test('so does one that comes back from the cache of the browser, but not one that is loaded', () => {
  const { window, methods } = page();
  window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: false }));
  assert.deepEqual(methods(), []);
  window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
  assert.deepEqual(methods(), SHOWN);
});

test('another network is checked at once', () => {
  const { window, connection, methods } = page();
  window.dispatchEvent(new Event('online'));
  window.dispatchEvent(new Event('offline'));
  connection.dispatchEvent(new Event('change'));
  assert.deepEqual(methods(), ['connection.suspect', 'connection.suspect', 'connection.suspect']);
});

/** A browser that offers a wake lock. */
function screen() {
  const state = { requests: 0, held: null, fails: false };
  const offered = {
    request: async () => {
      state.requests += 1;
      if (state.fails) throw new Error('NotAllowedError');
      state.held = { released: false, release: async () => (state.held.released = true) };
      return state.held;
    },
  };
  return { state, lock: new WakeLock(offered) };
}

test('the screen stays on while that is wanted, also after the page was hidden', async () => {
  const { state, lock } = screen();
  await lock.want(true);
  await lock.refresh();
  assert.equal(state.requests, 1, 'it is on');
  state.held.released = true;
  await lock.refresh();
  assert.deepEqual([state.requests, state.held.released], [2, false]);
  await lock.want(false);
  assert.equal(state.held.released, true);
  await lock.refresh();
  assert.equal(state.requests, 2);
});

test('a lock that comes when it is not wanted any more is given back', async () => {
  const { state, lock } = screen();
  const wanted = lock.want(true);
  lock.want(false);
  await wanted;
  assert.equal(state.held.released, true);
});

test('a browser that refuses or offers nothing is no error', async () => {
  const { state, lock } = screen();
  state.fails = true;
  await lock.want(true);
  await lock.refresh();
  assert.equal(state.requests, 2);
  const none = new WakeLock(undefined);
  await none.want(true);
  assert.equal(none.isOffered, globalThis.navigator?.wakeLock !== undefined);
});

/** An output that is watched. */
function output(rates = [48_000, 48_000]) {
  const log = [];
  const audio = recorder('audio', log, { sampleRate: rates[0], running: false, interrupted: false });
  audio.resume = async () => void log.push(['audio.resume']);
  audio.restart = () => {
    log.push(['audio.restart']);
    audio.sampleRate = rates[1];
  };
  const parts = ['scheduler', 'bank', 'reporter', 'ui'].map((name) => [name, recorder(name, log)]);
  return { log, audio, watch: new OutputWatch({ audio, ...Object.fromEntries(parts) }) };
}

test('a restart ends the voices, opens the output again, and starts it if it had started', async () => {
  const { log, watch } = output();
  watch.restart();
  assert.deepEqual(log.map(([method]) => method), ['scheduler.restart', 'audio.restart']);
  await watch.start();
  log.length = 0;
  watch.restart();
  assert.deepEqual(log.map(([method]) => method), ['scheduler.restart', 'audio.restart', 'audio.resume']);
});

test('an output that comes back at another rate decodes its sounds again', () => {
  const { log, watch } = output([48_000, 44_100]);
  watch.restart();
  assert.equal(callsOf(log, 'bank.rateChanged').length, 1);
});

test('a blocked output says what to do, and why', async () => {
  const { log, audio, watch } = output();
  watch.stateChanged();
  assert.deepEqual(callsOf(log, 'ui.askForTouch'), [], 'it was not started yet');
  await watch.start();
  assert.match(callsOf(log, 'ui.askForTouch').at(-1).join(': '), /^Tap to hear: The browser has paused/);
  audio.interrupted = true;
  watch.stateChanged();
  assert.match(callsOf(log, 'ui.askForTouch').at(-1)[1], /^A call or another program/);
  audio.running = true;
  watch.stateChanged();
  assert.equal(callsOf(log, 'ui.touched').length, 1);
});
