// What a client may do, and why not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RIGHTS } from '../protocol/fields.js';
import { CONDUCT, PLAY, RIGHTS_TEXTS, deedOf, denialOf, whyNot } from '../state/rights.js';

test('each right may do what those before it may', () => {
  const allowed = (isLocked) =>
    RIGHTS.map((rights) => [PLAY, CONDUCT].filter((deed) => whyNot(deed, { rights, isLocked }) === null));
  assert.deepEqual(allowed(false), [[], [PLAY], [PLAY, CONDUCT]]);
  assert.deepEqual(allowed(true), [[], [], [PLAY, CONDUCT]]);
});

test('what is denied has a word and a sentence', () => {
  for (const rights of RIGHTS) {
    for (const isLocked of [true, false]) {
      for (const deed of [PLAY, CONDUCT]) {
        const denial = denialOf(deed, { rights, isLocked });
        if (denial === null) continue;
        assert.match(denial.title, /^[A-Z][a-z]+$/);
        assert.match(denial.text, /^[A-Z].*\.$/);
      }
    }
  }
});

test('a listener is told that it listens, locked or not; a player that the room is locked', () => {
  for (const isLocked of [true, false]) assert.match(whyNot(PLAY, { rights: 'listener', isLocked }), /listens/);
  assert.match(whyNot(PLAY, { rights: 'player', isLocked: true }), /locked/);
});

test('an open variable is played, another one is conducted', () => {
  assert.deepEqual([{ open: true }, { open: false }, {}].map(deedOf), [PLAY, CONDUCT, CONDUCT]);
});

test('every right has a name', () => {
  assert.deepEqual(Object.keys(RIGHTS_TEXTS), RIGHTS);
});
