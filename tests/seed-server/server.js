// A server as the tutorial's reader has it: on Node's `ws`, with nothing set but the port. That
// includes what `ws` does by itself: it grants the first subprotocol that a client offers.
//
//   node server.js [PORT]     0 is any free port; 3000 if none is given

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer((request, response) => response.end('a plain relay\n'));
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
