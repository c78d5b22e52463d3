// The worker of decoder.js: a long sound takes seconds to decode on a phone and must not block triggers. It
// computes the peaks as well, while it has all values at hand.

import { decode } from './decode.js';
import { peaksOf } from './peaks.js';

self.onmessage = ({ data: { id, file, rate } }) => {
  try {
    const channels = decode(file, rate);
    const peaks = peaksOf(channels);
    self.postMessage({ id, channels, peaks }, channels.map(({ buffer }) => buffer));
  } catch (error) {
    self.postMessage({ id, problem: error.message });
  }
};
