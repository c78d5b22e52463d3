// What is wrong with a machine, in words.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isOlder, needsHelp, troublesOf, versionOf, weightOf } from '../state/trouble.js';

const STANDARD = { bank: 3, sounds: 14, maxLeadMicros: 500_000, relay: 'downbeat-relay/0.2.0' };

const REPORT = {
  lead_micros: 14_200,
  clock_error_micros: 35,
  latency_micros: 10_400,
  triggers: 40,
  late: 0,
  lateness_micros: 0,
  xruns: 0,
  bank: 3,
  ready: 14,
};

/** The troubles of a machine that differs from a good one. */
function troubles(report = {}, machine = {}) {
  const good = { key: 'c7', id: 7, isAway: false, name: 'harp', kind: 'window', client: 'downbeat/0.2.0' };
  return troublesOf({ ...good, report: { ...REPORT, ...report }, ...machine }, STANDARD, 0);
}

const texts = (...args) => troubles(...args).map(({ level, text }) => `${level}: ${text}`);

/** A machine that has counted this lately. */
const counted = (counts) => ({ steps: [{ at: 0, triggers: 0, late: 0, xruns: 0, ...counts }] });

test('a good machine has no trouble', () => {
  assert.deepEqual(troubles(), []);
  assert.deepEqual(troubles({ triggers: 0, lateness_micros: undefined }), []);
});

test('no output is told by kind', () => {
  const none = { latency_micros: undefined, lead_micros: undefined, clock_error_micros: undefined };
  assert.deepEqual(texts(none), ['bad: No output']);
  assert.deepEqual(texts(none, { kind: 'page' }), ['bad: No sound yet']);
  assert.match(troubles(none, { kind: 'page' })[0].advice, /Tap the page/);
});

test('a straggler needs more lead than there is', () => {
  const [trouble] = troubles({ lead_micros: 612_000, late: 30 }, { straggler: true });
  assert.deepEqual([trouble.level, trouble.text], ['bad', 'Starts late']);
  assert.match(trouble.advice, /612 ms of lead, and 500 ms is the limit/);
  assert.match(troubles({}, { straggler: true })[0].advice, /a longer lead/);
});

test('sounds that are missing are named, if they are few', () => {
  assert.deepEqual(texts({ ready: 12, missing: ['gong', 'bell'] }), ['warn: 12 of 14 sounds']);
  assert.match(troubles({ ready: 12, missing: ['gong', 'bell'] })[0].advice, /gong, bell/);
  assert.match(troubles({ ready: 2, missing: ['a', 'b', 'c'] })[0].advice, /12 sounds/);
  assert.deepEqual(texts({ bank: 2, ready: 12 }), ['warn: Loads the new sounds']);
  assert.deepEqual(texts({ bank: 57 }), ['warn: Loads the new sounds'], 'a number of a former epoch');
  assert.deepEqual(texts({ ready: undefined, bank: undefined }), [], 'an older program does not say');
});

test('the clock is unknown or loose', () => {
  assert.deepEqual(texts({ clock_error_micros: undefined }), ['warn: Clock not known yet']);
  assert.deepEqual(texts({ clock_error_micros: 2000 }), []);
  assert.deepEqual(texts({ clock_error_micros: 2400 }), ['warn: Off by up to 2.4 ms']);
});

test('late starts count once they are many', () => {
  assert.deepEqual(texts({}, counted({ late: 2, triggers: 4 })), []);
  assert.deepEqual(texts({}, counted({ late: 3, triggers: 40 })), []);
  assert.deepEqual(texts({}, counted({ late: 5, triggers: 40 })), ['warn: 5 of 40 bangs late in 5 min']);
  assert.deepEqual(texts({}, counted({ late: 21, triggers: 40 })), ['bad: 21 of 40 bangs late in 5 min']);
});

test('dropouts, silence and old versions', () => {
  assert.deepEqual(texts({}, counted({ xruns: 9 })), []);
  assert.deepEqual(texts({}, counted({ xruns: 10 })), ['warn: 10 dropouts in 5 min']);
  assert.deepEqual(texts({ muted: true, volume_db: -60 }), ['info: Muted']);
  assert.deepEqual(texts({ volume_db: -60 }), ['info: Volume at zero']);
  assert.deepEqual(texts({}, { client: 'downbeat/0.1.9' }), ['info: Old version 0.1.9']);
  assert.deepEqual(texts({}, { client: 'downbeat/0.3.0' }), []);
  assert.deepEqual(texts({}, { client: 'downbeat-page' }), []);
});

test('what was counted over months is no trouble', () => {
  assert.deepEqual(texts({ xruns: 4000, late: 900, triggers: 1000 }), []);
});

test('a machine that is away, and one that has just joined', () => {
  const away = troublesOf({ isAway: true, name: 'lab-9', machine: 4 }, STANDARD, 0);
  assert.deepEqual(away.map(({ level }) => level), ['away']);
  assert.deepEqual(texts({}, { report: undefined }), ['info: Just joined']);
});

test('a remote sounds nothing, so nothing of its sound is wrong', () => {
  assert.deepEqual(texts({ latency_micros: undefined, ready: 0 }, { kind: 'remote' }), []);
});

test('the worst comes first, and weighs more than all that is less bad', () => {
  const dropouts = counted({ xruns: 12 });
  const many = troubles({ latency_micros: undefined, muted: true }, { client: 'downbeat/0.1.0', ...dropouts });
  assert.deepEqual(many.map(({ level }) => level), ['bad', 'warn', 'info', 'info']);
  const lesser = troubles({ ready: 2, missing: [], clock_error_micros: 9000, muted: true }, dropouts);
  assert.ok(weightOf(many) > weightOf(lesser));
  assert.ok(needsHelp(lesser) && !needsHelp(troubles({ muted: true })));
});

test('every trouble says what to do', () => {
  const all = [
    ...troubles(
      { ready: 1, missing: [], clock_error_micros: 9000, muted: true },
      counted({ triggers: 20, late: 9, xruns: 99 }),
    ),
    ...troubles({ latency_micros: undefined }),
    ...troubles({ clock_error_micros: undefined, volume_db: -60 }, { client: 'downbeat/0.0.1' }),
  ];
  assert.ok(all.length > 8);
  for (const { text, advice } of all) {
    assert.match(text, /^[A-Z0-9]/);
    assert.match(advice, /^[A-Z].*\.$/);
  }
});

test('versions are compared by their numbers', () => {
  assert.equal(versionOf('downbeat/0.10.2'), '0.10.2');
  assert.equal(versionOf('downbeat-page'), null);
  assert.equal(versionOf(undefined), null);
  assert.deepEqual(
    [['0.9.0', '0.10.0'], ['0.10.0', '0.9.0'], ['1.0', '1.0.1'], ['1.0.1', '1.0'], ['2.0', '2.0']].map(([a, b]) =>
      isOlder(a, b),
    ),
    [true, false, true, false, false],
  );
});
