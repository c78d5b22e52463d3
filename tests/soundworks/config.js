// What server and clients must agree on: the roles, and the one state that a press changes.

/** From the press to the sound, in seconds: as the documentation of its plugin for synchrony has it. */
export const LEAD_SECONDS = 0.5;

export const config = (port) => ({
  app: {
    name: 'clicks',
    clients: { player: { runtime: 'node' }, controller: { runtime: 'node' } },
  },
  env: { type: 'production', port, serverAddress: '127.0.0.1', useHttps: false, verbose: false },
});

/** When the next click is due, in the server's time; an event, so that it is told but not kept. */
export const clicks = { due: { type: 'float', event: true } };
