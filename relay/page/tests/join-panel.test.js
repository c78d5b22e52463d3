// The QR code of the link that is shown, in a document of which nothing is drawn.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { JoinPanel } from '../ui/join-panel.js';

/** As much of an element as the panel uses. */
class FakeElement {
  hidden = true;
  textContent = '';
  dataset = {};
  options = [];
  #listeners = {};

  addEventListener(type, run) {
    this.#listeners[type] = run;
  }

  dispatch(type, event) {
    this.#listeners[type](event);
  }

  setAttribute(name, value) {
    this[name] = value;
  }

  append() {}

  replaceChildren(...children) {
    this.options = children;
  }
}

const link = (rights) => ({ rights, url: `http://stage:3000/#token=${rights}` });
const JOINING = { code: '48271963', links: [link('player'), link('listener')] };
const [PLAYER, LISTENER] = JOINING.links.map(({ url }) => url);

function world() {
  const elements = new Map();
  globalThis.document = {
    addEventListener: () => {},
    createElement: () => new FakeElement(),
    getElementById: (id) => elements.get(id) ?? elements.set(id, new FakeElement()).get(id),
  };
  const asked = [];
  const panel = new JoinPanel((url) => asked.push(url));
  const image = () => {
    const { hidden, src } = document.getElementById('join-qr');
    return hidden ? null : src;
  };
  /** Chooses the rights of the link. */
  const choose = (rights) => {
    const [segments] = document.getElementById('join-rights').options;
    segments.dispatch('change', { target: { value: rights } });
  };
  panel.show(JOINING);
  return { panel, asked, image, choose };
}

test('the code of a link is asked for once, and shown when it comes', () => {
  const { panel, asked, image } = world();
  assert.deepEqual([asked, image()], [[PLAYER], null]);
  panel.showQr(PLAYER, 'data:player');
  panel.show(JOINING);
  assert.deepEqual([asked, image()], [[PLAYER], 'data:player']);
});

test('the code of a link that is no longer chosen is not shown, and does not delay that of the other', () => {
  const { panel, asked, image, choose } = world();
  choose('listener');
  panel.showQr(PLAYER, 'data:player');
  assert.deepEqual([asked, image()], [[PLAYER, LISTENER], null]);
  panel.showQr(LISTENER, 'data:listener');
  panel.showQr(PLAYER, 'data:player');
  assert.deepEqual([asked, image()], [[PLAYER, LISTENER], 'data:listener']);
  choose('player');
  assert.deepEqual([asked, image()], [[PLAYER, LISTENER, PLAYER], null]);
});

test('a code that did not come is asked for again with the next news of the links, and not before', () => {
  const { panel, asked, image } = world();
  panel.showQr(PLAYER, null);
  assert.deepEqual([asked, image()], [[PLAYER], null]);
  // The connection was lost, and is there again.
  panel.show(null);
  panel.show(JOINING);
  assert.deepEqual(asked, [PLAYER, PLAYER]);
  panel.showQr(PLAYER, 'data:player');
  assert.equal(image(), 'data:player');
});
