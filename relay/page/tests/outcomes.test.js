// Answers to triggers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodeFromClient, encode } from '../protocol/messages.js';
import { Outcomes } from '../session/outcomes.js';

class World {
  now = 0;
  timers = [];
  sent = [];
  reasons = new Map();
  connected = true;

  constructor() {
    const send = (message) => {
      if (!this.connected) return false;
      this.sent.push({ at: this.now, outcomes: message.outcomes });
      assert.equal(decodeFromClient(encode(message)).problem, null);
      return true;
    };
    this.outcomes = new Outcomes(
      send,
      ({ seq }) => this.reasons.get(seq) ?? null,
      (run, millis) => {
        const timer = { run, at: this.now + millis };
        this.timers.push(timer);
        return timer;
      },
      (timer) => (this.timers = this.timers.filter((other) => other !== timer)),
    );
  }

  pass(millis) {
    const end = this.now + millis;
    for (;;) {
      const [due] = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!due) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.now = due.at;
      due.run();
    }
    this.now = end;
  }

  expect(seq, inMillis = 50) {
    this.outcomes.expect({ seq }, inMillis);
  }

  get answers() {
    return this.sent.flatMap(({ outcomes }) => outcomes);
  }
}

test('what sounds on time is collected, and sent within two seconds', () => {
  const world = new World();
  for (let seq = 1; seq <= 5; seq += 1) {
    world.expect(seq);
    world.outcomes.sounded(seq, 0);
    world.pass(200);
  }
  world.pass(1000);
  assert.equal(world.sent.length, 1);
  assert.deepEqual(world.answers, [1, 2, 3, 4, 5].map((seq) => ({ seq })));
  assert.ok(world.sent[0].at <= 2000);
});

test('what is late or missed is sent within a quarter of a second, and takes along what waits', () => {
  const world = new World();
  world.expect(1);
  world.outcomes.sounded(1, 0);
  world.pass(1000);
  world.expect(2);
  world.outcomes.sounded(2, 8200);
  world.expect(3);
  world.outcomes.missed(3, 'too_late');
  world.pass(250);
  assert.deepEqual(world.answers, [{ seq: 1 }, { seq: 2, lateness_micros: 8200 }, { seq: 3, missed: 'too_late' }]);
  assert.equal(world.sent.length, 1);
});

test('what has not started shortly after its instant is missed, for the reason of that moment', () => {
  const world = new World();
  world.expect(1, 500);
  world.pass(600);
  assert.deepEqual(world.answers, []);
  world.reasons.set(1, 'not_ready');
  world.pass(150);
  assert.deepEqual(world.answers, [{ seq: 1, missed: 'not_ready' }]);
  assert.ok(world.sent[0].at <= 500 + 250);
  world.outcomes.sounded(1, 900_000);
  world.pass(5000);
  assert.equal(world.answers.length, 1, 'it is answered once');
});

test('without a clock the instant is unknown: the arrival counts', () => {
  const world = new World();
  world.reasons.set(1, 'no_clock');
  world.expect(1, null);
  world.pass(261);
  assert.deepEqual(world.answers, [{ seq: 1, missed: 'no_clock' }]);
});

test('what was stopped before its start, or is not for this machine, gets no answer', () => {
  const world = new World();
  world.expect(1);
  world.outcomes.sounded(9, 0);
  world.outcomes.missed(8, 'voices');
  world.pass(5000);
  assert.deepEqual(world.sent, []);
});

test('a message has at most 64 answers', () => {
  const world = new World();
  for (let seq = 1; seq <= 150; seq += 1) {
    world.expect(seq);
    world.outcomes.sounded(seq, 0);
  }
  world.pass(2000);
  assert.deepEqual(world.sent.map(({ outcomes }) => outcomes.length), [64, 64, 22]);
});

test('what waits is bounded: of more, the oldest gets no answer', () => {
  const world = new World();
  for (let seq = 1; seq <= 600; seq += 1) {
    world.reasons.set(seq, 'no_output');
    world.expect(seq, 1000);
  }
  assert.ok(world.timers.length <= 512);
  world.pass(3000);
  assert.deepEqual([world.answers.length, world.answers[0].seq], [512, 89]);
});

test('another connection is owed nothing', () => {
  const world = new World();
  world.reasons.set(2, 'no_output');
  world.expect(1);
  world.outcomes.sounded(1, 0);
  world.expect(2);
  world.outcomes.reset();
  world.pass(5000);
  assert.deepEqual([world.sent, world.timers], [[], []]);
  world.expect(3);
  world.outcomes.missed(3, 'muted');
  world.pass(100);
  assert.deepEqual(world.answers, [{ seq: 3, missed: 'muted' }]);
});
