// Which loudspeaker each channel of a sound is for, and how they come out on two: with the
// coefficients of ITU-R BS.775, as the player does it.

/** Bits of a WAV's `dwChannelMask`. */
const FRONT = 0x3;

const USUAL = [0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f];

const HALF_POWER = Math.SQRT1_2;

/** The gains into left and right of each bit's loudspeaker, from bit 0. Low-frequency effects (bit 3)
 * are left out, and nothing is scaled down: the ceiling prevents clipping. */
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

/** `mask` if it has a bit for each channel, else the usual mask of so many. */
export function maskOf(mask, channels) {
  const bits = speakersOf(mask).length;
  return bits === channels ? mask : USUAL[channels - 1];
}

/**
 * The channels of a sound as a browser plays them: one, which goes to both sides, or left and right.
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

/** The numbers of the bits that are set, in their order, which is that of the channels. */
function speakersOf(mask) {
  return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (mask >>> bit) & 1);
}
