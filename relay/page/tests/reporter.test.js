// The reports to the relay.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodeFromClient, encode } from '../protocol/messages.js';
import { Reporter } from '../session/reporter.js';
import { callsOf, recorder } from './fakes.js';

const SECOND = 1e6;

function world() {
  const state = { now: 0, error: 40.2, connected: true, level: 0.25, missing: ['gong'] };
  state.settings = { volume: 0.5, isMuted: false };
  const [sent, log] = [[], []];
  const room = { id: 7, self: undefined, maxLeadMicros: 500_000, bankNumber: 3 };
  const scheduler = {
    triggers: 3,
    late: 1,
    latenessMicros: 0,
    latencyMicros: 30_000,
    worstAheadMicros: 35_000,
    errorMicros: 500.3,
    extraLatencyMicros: 12_000,
  };
  const reporter = new Reporter({
    room,
    clock: { estimate: () => (state.error === null ? null : { errorMicros: () => state.error }) },
    audio: { xruns: null, quantumMicros: 2667, takeLevel: () => state.level },
    scheduler,
    bank: { standing: { ready: 13, missing: state.missing } },
    settings: { current: state.settings },
    send: (message) => state.connected && sent.push(message) > 0,
    ui: recorder('ui', log),
    now: () => state.now,
  });
  return { reporter, scheduler, sent, state, room, log };
}

test('a report contains the required lead, the summed error bound and the counts', () => {
  const { reporter, sent } = world();
  reporter.observeDelay(1000, 0);
  reporter.report();
  const { lead_micros: lead, ...rest } = sent[0];
  assert.ok(lead >= 50_667 && lead < 50_800, String(lead));
  assert.deepEqual(rest, {
    type: 'report',
    clock_error_micros: 541,
    latency_micros: 30_000,
    triggers: 3,
    late: 1,
    lateness_micros: 0,
    xruns: 0,
    bank: 3,
    ready: 13,
    missing: ['gong'],
    output: 'browser',
    level_db: -12,
    volume_db: -12.04,
    muted: undefined,
    extra_latency_micros: 12_000,
  });
  assert.equal(decodeFromClient(encode(sent[0])).problem, null);
});

test('unknown values are absent', () => {
  const { reporter, sent, state } = world();
  state.error = null;
  reporter.report();
  const [{ lead_micros: lead, clock_error_micros: error }] = sent;
  assert.deepEqual([lead, error], [undefined, undefined]);
});

test('silence has no level, and mute and zero volume are reported', () => {
  const { reporter, sent, state } = world();
  Object.assign(state, { level: 0 });
  Object.assign(state.settings, { volume: 0, isMuted: true });
  reporter.report();
  assert.deepEqual([sent[0].level_db, sent[0].volume_db, sent[0].muted], [undefined, -60, true]);
});

test('reports are at least 250 ms apart', () => {
  const { reporter, sent, state } = world();
  for (state.now = 0; state.now < SECOND; state.now += 10_000) reporter.report();
  assert.equal(sent.length, 4);
});

test('only a large change of the required lead is reported at once', () => {
  const { reporter, scheduler, sent, state } = world();
  reporter.observeDelay(1000, 0);
  reporter.report();
  state.now = SECOND;
  scheduler.worstAheadMicros += 1000;
  reporter.reportIfChanged();
  assert.equal(sent.length, 1);
  scheduler.worstAheadMicros += 40_000;
  reporter.reportIfChanged();
  assert.equal(sent.length, 2);
});

test('a report that could not be sent is sent again', () => {
  const { reporter, sent, state } = world();
  state.connected = false;
  reporter.report();
  state.connected = true;
  reporter.report();
  assert.equal(sent.length, 1);
});

test('without a connection no bound is shown, and nothing of a former epoch is sent before the welcome', () => {
  const { reporter, sent, state, room, log } = world();
  state.error = 9000;
  reporter.report();
  room.id = null;
  state.now = 10 * SECOND;
  reporter.report();
  const shown = callsOf(log, 'ui.showMachine').map(([{ errorMicros, isLoose }]) => [errorMicros, isLoose]);
  assert.deepEqual(shown, [[9501, true], [null, false]]);
  assert.equal(callsOf(log, 'ui.showSyncStatus').at(-1)[0], null);
  assert.equal(sent.length, 1);
});

test('the first report of a connection need not wait', () => {
  const { reporter, sent } = world();
  reporter.report();
  reporter.reset();
  reporter.report();
  assert.equal(sent.length, 2);
});
