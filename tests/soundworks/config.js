// Configuration shared by server and clients: the roles, and the state that a press changes.

/** Time from the press to the sound, in seconds: the value in the sync plugin's documentation. */
export const LEAD_SECONDS = 0.5;

export const config = (port) => ({
  app: {
    name: 'clicks',
    clients: { player: { runtime: 'node' }, controller: { runtime: 'node' } },
  },
  env: { type: 'production', port, serverAddress: '127.0.0.1', useHttps: false, verbose: false },
});

/** The server time of the next click. An event, so that it is broadcast but not stored. */
export const clicks = { due: { type: 'float', event: true } };
