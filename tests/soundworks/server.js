// A soundworks server with the sync plugin and one shared state.
//
//   node server.js PORT

import { Server } from '@soundworks/core/server.js';
import pluginSync from '@soundworks/plugin-sync/server.js';

import { clicks, config } from './config.js';

const server = new Server(config(Number(process.argv[2])));
server.pluginManager.register('sync', pluginSync);
server.stateManager.defineClass('clicks', clicks);
await server.start();
await server.stateManager.create('clicks');
console.log('ready');
