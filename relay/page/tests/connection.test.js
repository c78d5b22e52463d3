// The connection, with simulated sockets, timers and clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BackOff } from '../net/back-off.js';
import { Connection, socketUrl } from '../net/connection.js';

const WELCOME = JSON.stringify({
  type: 'welcome',
  id: 7,
  epoch: '9f3a62c1d07be845',
  now: 0,
  relay: 'downbeat-relay/0.1.0',
  limits: { message_bytes: 16384, min_lead_micros: 5000, max_lead_micros: 500000 },
  sounds: [],
  default_sound: 'click',
  sounding: [],
  total: 1,
  clients: [],
  lead_micros: 14200,
});

/** Virtual time: timers run when the test advances it. */
class World {
  now = 1000;
  timers = [];
  sockets = [];
  states = [];
  messages = [];
  invalid = [];
  probes = [];
  failed = 0;

  constructor({ probeEvery = 1000 } = {}) {
    const platform = {
      open: (url) => {
        if (this.forbidden) throw new Error('SecurityError');
        const socket = {
          url,
          readyState: 0,
          sent: [],
          openedAt: this.now,
          send: (text) => socket.sent.push(JSON.parse(text)),
          close: () => (socket.readyState = 3),
        };
        this.sockets.push(socket);
        return socket;
      },
      nowMillis: () => this.now,
      setTimer: (run, millis) => {
        const timer = { run, at: this.now + millis };
        this.timers.push(timer);
        return timer;
      },
      clearTimer: (timer) => (this.timers = this.timers.filter((other) => other !== timer)),
      random: () => 1,
    };
    let lastProbe = -Infinity;
    const clock = {
      nextProbeAt: () => lastProbe + probeEvery * 1000,
      probeSent: (sent) => {
        lastProbe = sent;
      },
      observe: (probe) => {
        this.probes.push(probe);
      },
    };
    this.connection = new Connection(
      'ws://relay/',
      () => ({ type: 'hello', name: 'page-1', kind: 'page', client: 'test' }),
      clock,
      {
        state: (state) => this.states.push(state),
        failed: () => (this.failed += 1),
        message: (message) => this.messages.push(message.type),
        probed: () => {},
        invalid: (problem) => this.invalid.push(problem),
      },
      platform,
    );
    this.connection.connect();
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Advances time by `millis`, calling `each` after every timer. */
  pass(millis, each = () => {}) {
    const end = this.now + millis;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.now = Math.max(this.now, due.at);
      due.run();
      each();
    }
    this.now = end;
  }

  welcome(socket = this.socket) {
    socket.readyState = 1;
    socket.onopen?.();
    socket.onmessage?.({ data: WELCOME });
  }

  /** Answers every pending probe. */
  answer(socket = this.socket) {
    for (const probe of socket.sent.filter(({ type }) => type === 'probe')) {
      socket.sent = socket.sent.filter((message) => message !== probe);
      const reply = { type: 'probe_reply', sent: probe.sent, received: 1, replied: 2 };
      socket.onmessage?.({ data: JSON.stringify(reply) });
    }
  }

  lose(socket = this.socket) {
    socket.readyState = 3;
    socket.onclose?.();
  }
}

test('the first attempt after a loss comes within half a second, later ones within five', () => {
  for (const random of [() => 0, () => 0.5, () => 1]) {
    const backOff = new BackOff();
    const delays = Array.from({ length: 40 }, () => backOff.next(random));
    assert.ok(delays[0] < 500 && delays[0] > 0);
    assert.ok(Math.max(...delays) <= 5000);
    assert.ok(delays[39] >= 1250, 'the delay grows');
    backOff.reset();
    assert.ok(backOff.next(random) < 500);
  }
});

test('clients that lose the relay together do not reconnect together', () => {
  assert.ok(new BackOff().next(() => 0.9) - new BackOff().next(() => 0.1) > 200);
});

test('the first message is hello, and the welcome connects', () => {
  const world = new World();
  assert.equal(world.connection.send({ type: 'trigger' }), false);
  world.welcome();
  assert.equal(world.socket.sent[0].type, 'hello');
  assert.deepEqual(world.states, ['connected']);
  assert.deepEqual(world.messages, ['welcome']);
  assert.equal(world.connection.send({ type: 'trigger' }), true);
});

test('exchanges reach the clock', () => {
  const world = new World();
  world.welcome();
  world.pass(1, () => world.answer());
  assert.deepEqual(world.probes, [
    { sent: 1_001_000, received: 1, replied: 2, arrived: 1_001_000 },
  ]);
  world.pass(10_000, () => world.answer());
  assert.ok(Math.abs(world.probes.length - 11) <= 1);
});

test('unanswered probes slow down the probing', () => {
  const world = new World({ probeEvery: 20 });
  world.welcome();
  world.pass(3000);
  assert.ok(world.socket.sent.filter(({ type }) => type === 'probe').length < 16);
});

test('a loss is reported once, and attempts continue until one succeeds', () => {
  const world = new World();
  world.welcome();
  world.pass(2000, () => world.answer());
  world.lose();
  assert.deepEqual(world.states, ['connected', 'lost']);
  world.pass(499);
  assert.equal(world.sockets.length, 2);
  let last = world.now;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    world.lose();
    const before = world.sockets.length;
    world.pass(5000);
    assert.ok(world.sockets.length > before);
    assert.ok(world.socket.openedAt - last <= 5000);
    last = world.socket.openedAt;
  }
  assert.deepEqual(world.states, ['connected', 'lost']);
  world.welcome();
  assert.deepEqual(world.states, ['connected', 'lost', 'connected']);
});

test('a rejected attempt is reported, and not repeated soon', () => {
  const world = new World();
  world.lose();
  assert.equal(world.failed, 1);
  world.connection.slowDown();
  world.pass(4900);
  assert.equal(world.sockets.length, 1);
  world.pass(200);
  assert.equal(world.sockets.length, 2);
  world.welcome();
  world.lose();
  assert.equal(world.failed, 1, 'a lost connection is no failed attempt');
  world.pass(500);
  assert.equal(world.sockets.length, 3, 'and is reopened soon');
});

test('reconnecting does not wait for the back-off', () => {
  const world = new World();
  world.lose();
  world.connection.slowDown();
  world.connection.reconnect();
  assert.equal(world.sockets.length, 2);
  world.pass(3000);
  assert.equal(world.sockets.length, 2, 'the pending attempt is cancelled');
});

test('an attempt without an answer times out and is repeated', () => {
  const world = new World();
  world.pass(5500);
  assert.equal(world.sockets[0].readyState, 3);
  assert.equal(world.sockets.length, 2);
});

test('an attempt without a welcome times out', () => {
  const world = new World();
  world.socket.readyState = 1;
  world.socket.onopen();
  world.pass(11_000);
  assert.equal(world.sockets[0].readyState, 3);
  assert.deepEqual(world.states, []);
});

test('on a crowded network the welcome may take seconds, also after a loss', () => {
  const world = new World();
  for (const sockets of [1, 2]) {
    world.pass(3500);
    world.socket.readyState = 1;
    world.socket.onopen();
    world.pass(9500);
    world.socket.onmessage({ data: WELCOME });
    assert.deepEqual([world.connection.state, world.sockets.length], ['connected', sockets]);
    world.lose();
    world.pass(500);
  }
});

test('a relay that answers no probe is dropped', () => {
  const world = new World();
  world.welcome();
  world.pass(5000, () => world.answer());
  world.pass(8000);
  assert.equal(world.sockets[0].readyState, 3);
  assert.equal(world.states[1], 'lost');
});

test('sleep of the machine does not count as silence of the relay', () => {
  const world = new World();
  world.welcome();
  world.pass(1500);
  world.now += 3_600_000;
  world.pass(10, () => world.answer());
  world.pass(3000, () => world.answer());
  assert.equal(world.sockets.length, 1);
  assert.deepEqual(world.states, ['connected']);
});

test('a message from a lost socket is ignored', () => {
  const world = new World();
  world.welcome();
  const old = world.socket;
  world.lose();
  world.pass(500);
  world.welcome();
  world.welcome(old);
  assert.equal(world.messages.length, 2);
});

test('reconnecting sends a new hello at once', () => {
  const world = new World();
  world.welcome();
  world.connection.reconnect();
  assert.equal(world.sockets.length, 2);
  assert.equal(world.sockets[0].readyState, 3);
  world.welcome();
  assert.equal(world.socket.sent[0].type, 'hello');
  assert.deepEqual(world.states, ['connected'], 'and does not count as a loss');
});

test('invalid messages are reported, and a forbidden address is retried', () => {
  const world = new World();
  world.welcome();
  world.socket.onmessage({ data: '{"type":"trigger"}' });
  world.socket.onmessage({ data: new ArrayBuffer(3) });
  world.socket.onmessage({ data: '{"type":"tomorrow"}' });
  assert.equal(world.invalid.length, 2);
  assert.deepEqual(world.messages, ['welcome']);
  world.forbidden = true;
  world.lose();
  world.pass(10_000);
  world.forbidden = false;
  world.pass(5000);
  assert.equal(world.sockets.length, 2);
});

test('the socket URL keeps the path of a reverse proxy', () => {
  assert.equal(socketUrl('http://10.0.0.2:3000/#token=abc'), 'ws://10.0.0.2:3000/');
  assert.equal(socketUrl('https://host/downbeat/?a=b#token=abc'), 'wss://host/downbeat/');
  assert.equal(socketUrl('https://host/downbeat/index.html'), 'wss://host/downbeat/');
});

test('after a change of the network a relay that does not answer soon is left', () => {
  const world = new World();
  world.welcome();
  world.pass(2000, () => world.answer());
  world.connection.suspect();
  world.connection.suspect();
  assert.equal(world.socket.sent.at(-1).type, 'probe', 'it is asked at once');
  world.pass(1400);
  assert.equal(world.connection.state, 'connected');
  world.pass(400);
  assert.equal(world.connection.state, 'lost');
  world.pass(500);
  assert.equal(world.sockets.length, 2);
});

test('a relay that answers is still there', () => {
  const world = new World();
  world.welcome();
  world.pass(2000, () => world.answer());
  world.connection.suspect();
  world.pass(10_000, () => world.answer());
  assert.equal(world.connection.state, 'connected');
  assert.equal(world.sockets.length, 1);
});

test('an attempt that began on another network is begun again, and a waiting one at once', () => {
  const world = new World();
  world.connection.suspect();
  assert.equal(world.sockets.length, 2);
  world.lose();
  world.connection.suspect();
  assert.equal(world.sockets.length, 3);
});
