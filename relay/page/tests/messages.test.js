// The codec, with the examples of docs/PROTOCOL.md and with invalid input.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { decodeFromClient, decodeFromRelay, encode } from '../protocol/messages.js';

const PROTOCOL = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8');

/** The fenced JSON blocks of one direction. */
function examples(direction) {
  const fence = new RegExp('^```json ' + direction + '\\n(.*)\\n```$', 'gm');
  return [...PROTOCOL.matchAll(fence)].map(([, example]) => example);
}

const DIRECTIONS = [
  [
    'client-to-relay',
    decodeFromClient,
    `hello probe trigger stop set declare remove assign forget command lock watch upload edit_sounds report
      outcomes`,
  ],
  [
    'relay-to-client',
    decodeFromRelay,
    `welcome probe_reply trigger stop value variables ack roster bank machine command lock joining machines
      receipt upload_ready error`,
  ],
];

for (const [direction, decode, types] of DIRECTIONS) {
  test(`examples ${direction} survive a round trip`, () => {
    for (const example of examples(direction)) {
      const { message, problem } = decode(example);
      assert.equal(problem, null, example);
      assert.deepEqual(JSON.parse(encode(message)), JSON.parse(example));
    }
  });

  test(`every message ${direction} has an example`, () => {
    const found = new Set(examples(direction).map((example) => JSON.parse(example).type));
    assert.deepEqual([...found].sort(), types.split(/\s+/).sort());
  });

  test(`no damage to an example ${direction} throws`, () => {
    // A deterministic generator, so that a failure can be repeated.
    let state = 1;
    const random = (below) => {
      state = (state * 48271) % 2147483647;
      return state % below;
    };
    const pieces = ['{', '}', '[', ']', '"', ',', 'null', '-1', '1e999', '\u0000', '\ud800', ':'];
    for (const example of examples(direction)) {
      for (let round = 0; round < 2000; round += 1) {
        const at = random(example.length);
        const damaged =
          example.slice(0, at) + pieces[random(pieces.length)] + example.slice(at + random(4));
        const { message, problem } = decode(damaged);
        assert.ok(message === null || problem === null);
      }
    }
  });
}

test('invalid text is a problem, not an exception', () => {
  const deep = '['.repeat(200_000);
  for (const garbage of ['', 'trigger-output', '[]', 'null', '7', '{}', '{"type":7}', deep]) {
    const { message, problem } = decodeFromRelay(garbage);
    assert.equal(message, null);
    assert.ok(problem.length > 0);
  }
  for (const garbage of [undefined, null, new ArrayBuffer(4), {}]) {
    assert.equal(decodeFromRelay(garbage).message, null);
  }
});

test('unknown types are ignored, and unknown fields dropped', () => {
  assert.deepEqual(decodeFromRelay('{"type":"later","x":1}'), { message: null, problem: null });
  for (const type of ['__proto__', 'constructor', 'toString']) {
    assert.deepEqual(decodeFromRelay(`{"type":"${type}"}`), { message: null, problem: null });
  }
  const { message } = decodeFromRelay('{"type":"probe_reply","sent":1,"received":2,"replied":3,"x":4}');
  assert.deepEqual(message, { type: 'probe_reply', sent: 1, received: 2, replied: 3 });
});

test('the problem names an invalid value', () => {
  const trigger = {
    type: 'trigger',
    seq: 1,
    play_at: 2,
    sound: 'click',
    gain: 1,
    rate: 1,
    pan: 0,
    by: { id: 1, name: 'a' },
  };
  const problemWith = (changed) =>
    decodeFromRelay(JSON.stringify({ ...trigger, ...changed })).problem;
  assert.equal(problemWith({}), null);
  assert.equal(problemWith({ rate: 0 }), 'trigger.rate is not a number from 0.25 to 4');
  assert.equal(problemWith({ seq: 1.5 }), 'trigger.seq is not a whole number from 0');
  assert.equal(problemWith({ by: { id: 1 } }), 'trigger.by.name is not a string');
  const target = { names: ['a', 7] };
  assert.equal(problemWith({ target }), 'trigger.target.names[1] is not a string');
  assert.equal(problemWith({ target: null }), null);
  const tone = (changed) => problemWith({ tone: { duration_micros: 1000, ...changed } });
  assert.equal(tone({}), null);
  assert.equal(tone({ frequency: 19 }), 'trigger.tone.frequency is not a number from 20 to 20000');
  assert.match(tone({ shape: 'noise' }), /^trigger\.tone\.shape is not one of sine, triangle/);
});

test('a variable has the fields of its type', () => {
  const declared = (variable) => {
    const text = JSON.stringify({ type: 'variables', declared: [{ name: 'v', value: null, ...variable }] });
    const { message, problem } = decodeFromRelay(text);
    return problem ?? message.declared[0];
  };
  assert.deepEqual(declared({ type: 'any', default: null, min: 3 }), {
    type: 'any',
    name: 'v',
    default: null,
    value: null,
  });
  assert.equal(declared({ type: 'float', min: 0, max: 1 }), 'variables.declared[0].default is not a number');
  assert.match(declared({ type: 'vector' }), /type is not one of float, int/);
  assert.match(declared({ type: 'bool', bind: [{ parameter: 'reverb' }] }), /parameter is not one of gain_db/);
  assert.match(declared({ type: 'bool', value: undefined }), /value is not there/);
});

test('the time of a request is a word or a delay', () => {
  const when = (value) => decodeFromClient(JSON.stringify({ type: 'trigger', when: value }));
  for (const valid of ['together', 'now', { after_micros: 5 }]) {
    assert.deepEqual(when(valid).message.when, valid);
  }
  assert.match(when('later').problem, /trigger\.when is not an object/);
  assert.match(when({ after_micros: -1 }).problem, /after_micros is not a whole number/);
});

test('a client without a record of its machine may do everything', () => {
  const example = examples('relay-to-client').find((text) => text.includes('"type":"welcome"'));
  const { machine, bank, ...older } = JSON.parse(example);
  assert.deepEqual([machine.rights, bank], ['player', 3]);
  const { message } = decodeFromRelay(JSON.stringify(older));
  assert.deepEqual([message.machine, message.bank], [{ rights: 'conductor' }, 0]);
});

test('a welcome may say from which trigger on it lists what sounds', () => {
  const example = JSON.parse(examples('relay-to-client').find((text) => text.includes('"type":"welcome"')));
  const decoded = (from) => decodeFromRelay(JSON.stringify({ ...example, sounding_from: from }));
  assert.equal(decoded(41).message.sounding_from, 41);
  assert.equal('sounding_from' in decoded(undefined).message, false);
  assert.match(decoded('41').problem, /sounding_from is not a whole number/);
});

test('rights are one of three, and reasons may be new', () => {
  const decoded = (message) => decodeFromRelay(JSON.stringify(message));
  assert.match(decoded({ type: 'machine', rights: 'owner' }).problem, /rights is not one of listener/);
  const by = { id: 1, name: 'a' };
  const receipt = { type: 'receipt', seq: 1, sound: 'bell', by, expected: 1, sounded: 0 };
  const missed = [{ id: 2, reason: 'asleep' }];
  assert.deepEqual(decoded({ ...receipt, missed }).message.missed, missed);
});

test("a client's trigger has the documented defaults", () => {
  const { message } = decodeFromClient('{"type":"trigger"}');
  assert.deepEqual(message, { type: 'trigger', gain: 1, rate: 1, pan: 0 });
});

test('names in messages are normalized', () => {
  const roster = { type: 'roster', total: 1, clients: [], lead_micros: 1 };
  roster.clients.push({ id: 1, name: 'cafe\u0301\u202e', kind: 'page' });
  assert.equal(decodeFromRelay(JSON.stringify(roster)).message.clients[0].name, 'caf\u00e9');
});
