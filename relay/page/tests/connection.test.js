// The connection, on a machine whose sockets, timers and clock are the test's own.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BackOff, Connection, offers, socketUrl } from '../net/connection.js';

test('a token of the fragment is offered beside the protocol, and nothing else of it', () => {
  assert.deepEqual(offers('p', ''), ['p']);
  assert.deepEqual(offers('p', '#token=let-me_in'), ['p', 'downbeat.token.let-me_in']);
  assert.deepEqual(offers('p', '#x=1&token=a.b~c'), ['p', 'downbeat.token.a.b~c']);
  for (const fragment of ['#token=', '#token=a%20b', '#token=a,b', '#tokens=a']) {
    assert.deepEqual(offers('p', fragment), ['p'], fragment);
  }
});

const WELCOME = JSON.stringify({
  type: 'welcome',
  id: 7,
  epoch: '9f3a62c1d07be845',
  now: 0,
  relay: 'downbeat-relay/0.1.0',
  limits: { message_bytes: 16384, least_lead_micros: 5000, most_lead_micros: 500000 },
  sounds: [],
  default_sound: 'click',
  sounding: [],
  total: 1,
  clients: [],
  lead_micros: 14200,
});

/** Virtual time: timers run when the test lets time pass. */
class World {
  now = 1000;
  timers = [];
  sockets = [];
  states = [];
  messages = [];
  unreadable = [];
  probes = [];
  failed = 0;

  constructor({ probeEvery = 1000 } = {}) {
    const machine = {
      open: (url, protocol) => {
        if (this.forbidden) throw new Error('SecurityError');
        const socket = {
          url,
          protocol,
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
        unreadable: (problem) => this.unreadable.push(problem),
      },
      machine,
    );
    this.connection.connect();
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Lets `millis` pass, calling `each` after every timer. */
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

  /** Answers every probe that waits for an answer. */
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

test('the first try after a loss comes within half a second, later ones within five', () => {
  for (const random of [() => 0, () => 0.5, () => 1]) {
    const backOff = new BackOff();
    const waits = Array.from({ length: 40 }, () => backOff.next(random));
    assert.ok(waits[0] < 500 && waits[0] > 0);
    assert.ok(Math.max(...waits) <= 5000);
    assert.ok(waits[39] >= 1250, 'and it grows patient');
    backOff.reset();
    assert.ok(backOff.next(random) < 500);
  }
});

test('two clients that lose the relay together do not come back together', () => {
  assert.ok(new BackOff().next(() => 0.9) - new BackOff().next(() => 0.1) > 200);
});

test('it says hello in the subprotocol, and is connected once it is welcome', () => {
  const world = new World();
  assert.equal(world.socket.protocol, 'downbeat.v1');
  assert.equal(world.connection.send({ type: 'trigger' }), false);
  world.welcome();
  assert.equal(world.socket.sent[0].type, 'hello');
  assert.deepEqual(world.states, ['connected']);
  assert.deepEqual(world.messages, ['welcome']);
  assert.equal(world.connection.send({ type: 'trigger' }), true);
});

test('probes are answered to the clock, with floats for local times', () => {
  const world = new World();
  world.welcome();
  world.pass(1, () => world.answer());
  assert.deepEqual(world.probes, [
    { sent: 1_001_000, received: 1, replied: 2, arrived: 1_001_000 },
  ]);
  world.pass(10_000, () => world.answer());
  assert.ok(Math.abs(world.probes.length - 11) <= 1);
});

test('a network that answers late is not drowned in probes', () => {
  const world = new World({ probeEvery: 20 });
  world.welcome();
  world.pass(3000);
  assert.ok(world.socket.sent.filter(({ type }) => type === 'probe').length < 16);
});

test('a loss is said once, and tried until it is mended', () => {
  const world = new World();
  world.welcome();
  world.pass(2000, () => world.answer());
  world.lose();
  assert.deepEqual(world.states, ['connected', 'lost']);
  world.pass(499);
  assert.equal(world.sockets.length, 2);
  let last = world.now;
  for (let tries = 0; tries < 20; tries += 1) {
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

test('a try that was refused is said, and is not tried again soon', () => {
  const world = new World();
  world.lose();
  assert.equal(world.failed, 1);
  world.connection.beRefused();
  world.pass(4900);
  assert.equal(world.sockets.length, 1);
  world.pass(200);
  assert.equal(world.sockets.length, 2);
  world.welcome();
  world.lose();
  assert.equal(world.failed, 1, 'what had been welcomed was lost');
  world.pass(500);
  assert.equal(world.sockets.length, 3, 'and is tried again soon');
});

test('another token is tried at once', () => {
  const world = new World();
  world.lose();
  world.connection.beRefused();
  world.connection.reconnect();
  assert.equal(world.sockets.length, 2);
  world.pass(3000);
  assert.equal(world.sockets.length, 2, 'the wait for the next try is over');
});

test('an address that hangs is given up and tried again', () => {
  const world = new World();
  world.pass(5500);
  assert.equal(world.sockets[0].readyState, 3);
  assert.equal(world.sockets.length, 2);
});

test('one that grants the subprotocol but never says welcome is given up as well', () => {
  const world = new World();
  world.socket.readyState = 1;
  world.socket.onopen();
  world.pass(5500);
  assert.equal(world.sockets[0].readyState, 3);
  assert.deepEqual(world.states, []);
});

test('a relay that falls silent is given up', () => {
  const world = new World();
  world.welcome();
  world.pass(5000, () => world.answer());
  world.pass(8000);
  assert.equal(world.sockets[0].readyState, 3);
  assert.equal(world.states[1], 'lost');
});

test('a machine that slept does not blame the relay', () => {
  const world = new World();
  world.welcome();
  world.pass(1500);
  world.now += 3_600_000;
  world.pass(10, () => world.answer());
  world.pass(3000, () => world.answer());
  assert.equal(world.sockets.length, 1);
  assert.deepEqual(world.states, ['connected']);
});

test('what arrives after the loss of its socket is not heard', () => {
  const world = new World();
  world.welcome();
  const old = world.socket;
  world.lose();
  world.pass(500);
  world.welcome();
  world.welcome(old);
  assert.equal(world.messages.length, 2);
});

test('a new name is a new hello, at once', () => {
  const world = new World();
  world.welcome();
  world.connection.reconnect();
  assert.equal(world.sockets.length, 2);
  assert.equal(world.sockets[0].readyState, 3);
  world.welcome();
  assert.equal(world.socket.sent[0].type, 'hello');
  assert.deepEqual(world.states, ['connected'], 'and is no loss');
});

test('garbage is said and survived, and a forbidden address is tried again', () => {
  const world = new World();
  world.welcome();
  world.socket.onmessage({ data: '{"type":"trigger"}' });
  world.socket.onmessage({ data: new ArrayBuffer(3) });
  world.socket.onmessage({ data: '{"type":"tomorrow"}' });
  assert.equal(world.unreadable.length, 2);
  assert.deepEqual(world.messages, ['welcome']);
  world.forbidden = true;
  world.lose();
  world.pass(10_000);
  world.forbidden = false;
  world.pass(5000);
  assert.equal(world.sockets.length, 2);
});

test('the socket lies beside the page, under whatever path a proxy gives it', () => {
  assert.equal(socketUrl('http://10.0.0.2:3000/#token=abc'), 'ws://10.0.0.2:3000/');
  assert.equal(socketUrl('https://host/downbeat/?a=b#token=abc'), 'wss://host/downbeat/');
  assert.equal(socketUrl('https://host/downbeat/index.html'), 'wss://host/downbeat/');
});
