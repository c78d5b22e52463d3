// Decodes a WAV file to one or two channels at the rate of the audio context.

import { downmix } from './downmix.js';
import { resample } from './resample.js';
import { readWav } from './wav.js';

/**
 * @param {ArrayBuffer} file
 * @param {number} rate of the audio context
 * @returns {Float32Array[]} one or two channels
 * @throws an error with the reason if it cannot be played
 */
export function decode(file, rate) {
  const wav = readWav(file);
  return downmix(wav).map((values) => resample(values, wav.rate, rate));
}

/** Memory of `sound` once decoded, in bytes. */
export function decodedBytes({ frames, rate, channels }, toRate) {
  return Math.ceil((frames * toRate) / rate) * Math.min(channels, 2) * Float32Array.BYTES_PER_ELEMENT;
}
