// How loud a sound is on either side, as the player has it (a browser's own panner does it otherwise).

/**
 * @param {number} channels 1 or 2
 * @param {number} pan from -1, left, to 1
 * @returns {[number, number]} gains into left and right: equal power for a mono sound, whose centre
 *   is 1 on both; a balance for a stereo sound, which turns the far side down
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
