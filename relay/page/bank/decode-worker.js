// The worker of decoder.js: a long sound takes seconds to decode on a phone and must not block triggers.

import { decode } from './decode.js';

self.onmessage = ({ data: { id, file, rate } }) => {
  try {
    const channels = decode(file, rate);
    self.postMessage({ id, channels }, channels.map(({ buffer }) => buffer));
  } catch (error) {
    self.postMessage({ id, problem: error.message });
  }
};
