// Downmix to stereo with the coefficients of ITU-R BS.775, as in the desktop client.

/** Bits of `dwChannelMask` of a WAV: front left and front right. */
const FRONT = 0x3;

/** The default mask for each number of channels, from 1. */
const DEFAULT_MASKS = [0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f];

const HALF_POWER = Math.SQRT1_2;

/** Gains into left and right for the loudspeaker of each bit, from bit 0. Low-frequency effects (bit 3)
 * are omitted, and nothing is scaled down: the limiter prevents clipping. */
const ROUTES = [
  [1, 0], // front left
  [0, 1], // front right
  [HALF_POWER, HALF_POWER], // front centre
  [0, 0], // low-frequency effects
  [HALF_POWER, 0], // back left
  [0, HALF_POWER], // back right
  [1, 0], // front left of centre
  [0, 1], // front right of centre
  [0.5, 0.5], // back centre
  [HALF_POWER, 0], // side left
  [0, HALF_POWER], // side right
  [HALF_POWER, HALF_POWER], // top centre
  [1, 0], // top front left
  [HALF_POWER, HALF_POWER], // top front centre
  [0, 1], // top front right
  [HALF_POWER, 0], // top back left
  [0.5, 0.5], // top back centre
  [0, HALF_POWER], // top back right
];

/** `mask` if it has a bit for each channel, else the default mask for that number of channels. */
export function maskOf(mask, channels) {
  const bits = speakersOf(mask).length;
  return bits === channels ? mask : DEFAULT_MASKS[channels - 1];
}

/**
 * Mixes down to mono, which a browser plays on both sides, or to left and right.
 * @param {import('./wav.js').Wav} wav
 * @returns {Float32Array[]}
 */
export function downmix({ channels, mask }) {
  if (channels.length === 1 || mask === FRONT) return channels;
  const speakers = speakersOf(mask);
  return [0, 1].map((side) => {
    const mixed = new Float32Array(channels[0].length);
    channels.forEach((values, at) => {
      const gain = ROUTES[speakers[at]]?.[side] ?? 0;
      if (gain === 0) return;
      for (let frame = 0; frame < mixed.length; frame += 1) mixed[frame] += gain * values[frame];
    });
    return mixed;
  });
}

/** The numbers of the set bits, in the order of the channels. */
function speakersOf(mask) {
  return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (mask >>> bit) & 1);
}
