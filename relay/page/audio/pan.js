// Panning by the same law as the desktop client. The StereoPannerNode of Web Audio uses another one.

/**
 * @param {number} channels 1 or 2
 * @param {number} pan from -1, left, to 1
 * @returns {[number, number]} gains into left and right: equal power for a mono sound, with 1 on both
 *   sides at the centre; balance for a stereo sound, which attenuates the far side
 */
export function panGains(channels, pan) {
  if (pan === 0) return [1, 1];
  if (channels === 1) {
    const angle = ((pan + 1) * Math.PI) / 4;
    return [Math.SQRT2 * Math.cos(angle), Math.SQRT2 * Math.sin(angle)];
  }
  const far = Math.cos((Math.abs(pan) * Math.PI) / 2);
  return pan > 0 ? [far, 1] : [1, far];
}
