// The tutorial's server: Node's `ws` with default settings. By default `ws` selects the first
// subprotocol that a client offers.
//
//   node server.js [PORT]     default 3000; 0 selects a free port

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer((request, response) => response.end('a tutorial relay\n'));
const sockets = new WebSocketServer({ server });

sockets.on('connection', (socket) => {
  console.log('- new websocket connection!');
  socket.on('error', (error) => console.error(error.message));
  socket.on('message', (data, isBinary) => {
    console.log(`message received ${data}`);
    if (isBinary || data.toString() !== 'trigger-input') return;
    for (const client of sockets.clients) client.send('trigger-output');
  });
});

server.listen(Number(process.argv[2] ?? 3000), () => {
  console.log(`Server started: http://127.0.0.1:${server.address().port}`);
});
