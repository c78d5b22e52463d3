// Decodes on a thread of its own: a long sound takes seconds on a phone, and triggers must not wait.

import { decode } from './decode.js';

self.onmessage = ({ data: { id, file, rate } }) => {
  try {
    const channels = decode(file, rate);
    self.postMessage({ id, channels }, channels.map(({ buffer }) => buffer));
  } catch (error) {
    self.postMessage({ id, problem: error.message });
  }
};
