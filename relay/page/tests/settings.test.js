// The settings and their storage.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SettingsStore, loadSettings, saveSettings } from '../state/settings.js';

function storage(kept) {
  return {
    kept,
    getItem: () => kept,
    setItem(_, value) {
      this.kept = value;
    },
  };
}

test('without storage the defaults apply, and saving does nothing', () => {
  const forbidden = {
    getItem() {
      throw new Error('SecurityError');
    },
    setItem() {
      throw new Error('QuotaExceededError');
    },
  };
  for (const none of [undefined, null, forbidden, storage(null)]) {
    const settings = loadSettings(none, () => 0.292);
    assert.deepEqual(settings, {
      machine: '4'.repeat(32),
      name: 'page-4ac0',
      volume: 1,
      isMuted: false,
      extraLatencyMillis: 0,
      sound: null,
      view: 'play',
      theme: 'auto',
      keepsAwake: true,
      uses: [],
    });
    saveSettings(none, settings);
  }
});

test('foreign data in the storage is ignored', () => {
  const wild = JSON.stringify({
    machine: 'DEAD',
    name: '\n',
    volume: 7,
    extraLatencyMillis: 'x',
    sound: 3,
    view: 'mixer',
    theme: 7,
    uses: ['x', [1, 2]],
  });
  for (const kept of [wild, '', '{', '7', '"x"', '[]', 'null']) {
    const settings = loadSettings(storage(kept), () => 0);
    assert.equal(settings.name, 'page-0000');
    assert.equal(settings.volume, 1);
    assert.equal(settings.extraLatencyMillis, 0);
    assert.deepEqual(settings.uses, []);
    assert.equal(settings.sound, null);
    assert.equal(settings.machine, '0'.repeat(32));
    assert.deepEqual([settings.view, settings.theme], ['play', 'auto']);
  }
});

test('saved settings are loaded', () => {
  const disk = storage(null);
  const settings = {
    machine: '5b1e0c4f9a7d4e32b6c81d20f3a94e57',
    name: 'balcony',
    volume: 0.5,
    isMuted: true,
    extraLatencyMillis: -12,
    sound: 'bell',
    view: 'room',
    theme: 'contrast',
    keepsAwake: false,
    uses: [['bell', 3]],
  };
  saveSettings(disk, settings);
  assert.deepEqual(loadSettings(storage(disk.kept)), settings);
});

test('the identity of the machine is made once', () => {
  const disk = storage(null);
  const { machine } = new SettingsStore(disk).current;
  assert.match(machine, /^[0-9a-f]{32}$/);
  assert.equal(new SettingsStore(storage(disk.kept)).current.machine, machine);
  assert.notEqual(new SettingsStore(storage(null)).current.machine, machine);
});
