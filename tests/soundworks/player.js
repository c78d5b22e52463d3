// The player of one machine: clicks at the times in the shared state.
//
// Its local clock is the audio context's, as the plugin's documentation recommends for sound. Like the
// documentation, this ignores the output latency, which differs between machines.
//
//   node player.js PORT WAV

import { readFile } from 'node:fs/promises';

import { Client } from '@soundworks/core/client.js';
import pluginSync from '@soundworks/plugin-sync/client.js';
import { AudioContext } from 'node-web-audio-api';

import { config } from './config.js';

const [port, wav] = process.argv.slice(2);
// The small buffers of the default latency hint underrun on ALSA; the library recommends this one.
const audioContext = new AudioContext({ latencyHint: 'playback' });
await audioContext.resume();
const { buffer: bytes } = new Uint8Array(await readFile(wav));
const buffer = await audioContext.decodeAudioData(bytes);

const client = new Client({ role: 'player', ...config(Number(port)) });
client.pluginManager.register('sync', pluginSync, {
  getTimeFunction: () => audioContext.currentTime,
});
let connectedAt = null;
client.pluginManager.onStateChange(() => (connectedAt ??= performance.now()));
await client.start();
console.log(`synced after ${Math.round((performance.now() - connectedAt) * 1000)}`);

const sync = await client.pluginManager.get('sync');
const state = await client.stateManager.attach('clicks');
state.onUpdate(({ due }) => {
  if (due === undefined || due === null) return;
  const source = audioContext.createBufferSource();
  source.buffer = buffer;
  source.connect(audioContext.destination);
  source.start(sync.getLocalTime(due));
});
console.log('ready');
