// The controller: triggers a click on all machines for each byte that it receives over TCP.
//
//   node controller.js PORT
//
// Prints the port that it listens on.

import { createServer } from 'node:net';

import { Client } from '@soundworks/core/client.js';
import pluginSync from '@soundworks/plugin-sync/client.js';

import { LEAD_SECONDS, config } from './config.js';

const client = new Client({ role: 'controller', ...config(Number(process.argv[2])) });
client.pluginManager.register('sync', pluginSync);
await client.start();
const sync = await client.pluginManager.get('sync');
const state = await client.stateManager.attach('clicks');

const presses = createServer((socket) => {
  socket.setNoDelay();
  socket.on('error', (error) => console.error(error.message));
  socket.on('data', (bytes) => {
    for (const _ of bytes) state.set({ due: sync.getSyncTime() + LEAD_SECONDS });
  });
});
presses.listen(0, '127.0.0.1', () => console.log(`listening on ${presses.address().port}`));
