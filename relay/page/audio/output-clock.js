// From local time to the audio context's time: which context time is heard at a given instant, and
// where in a sound, and when, a source must be started for it to be heard as promised.
//
// Pure: readings of the context go in. No AudioContext, no clock. Local time is performance.now()
// in microseconds; context time is in seconds, as Web Audio counts it.

/** How often the context should be read. */
export const READING_MILLIS = 125;

/** Readings kept: half a minute of them, because what browsers say of their output wanders. */
const READINGS = 240;

/** Latest readings by which it is told how far the mix runs ahead of the ear: five seconds. */
const READINGS_AHEAD = 40;

/** How far it wanders, in seconds, from one end of the readings to the other. Chromium over
 * PulseAudio, against a recording, is off by up to 0.4 ms to either side in waves of 5 to 20 s, as the
 * sound server's library guesses anew between its looks at the card; and by more on a machine that is
 * overloaded. */
const WANDER_SECONDS = 0.0005;

/** How much faster than another a clock is as a rule: what is believed until there is better. */
const CRYSTAL = 30e-6;

/** Readings needed before the model is trusted with a slope: one second of them. */
const READINGS_FOR_SLOPE = 9;

/** A reading further off the others' line than this many of their standard deviations, and more
 * than the grain of a clock, is wild. */
const WILD = 4;
const GRAIN_SECONDS = 100e-6;

/** No clock is further off. */
const MOST_SLOPE = 300e-6;

/** As many readings in a row, so far from the model but together, say that the output has stepped:
 * a buffer ran dry, or a driver settled on another idea of its latency. Settled ones stay within
 * half a millisecond. */
const STEP_READINGS = 3;
const STEP_SECONDS = 0.0015;

/** No output is further away than this, and none ahead of the mix by more than a clock's grain. */
const MOST_AHEAD_SECONDS = 2;
const LEAST_AHEAD_SECONDS = -0.003;

/** Frames that Web Audio renders at once. */
export const QUANTUM_FRAMES = 128;

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @typedef {object} Reading One look at an AudioContext.
 * @property {number} nowMicros local time of the look
 * @property {number} mixSeconds `currentTime`: where the mix is
 * @property {number} [heardSeconds] `getOutputTimestamp().contextTime`
 * @property {number} [heardAtMicros] its `performanceTime`, in µs
 * @property {number} [latencySeconds] `outputLatency`, or 0 where there is none
 */

/**
 * The pair of a context time and the local instant at which it is heard, or null for nonsense.
 *
 * Browsers report it in three ways: as a true pair; as a pair that leaves the output latency out;
 * or not at all, in the first second and on some systems for good. Which it is shows in how far the
 * pair says that the mix is ahead of the ear, which cannot be less than the latency known besides.
 *
 * @param {Reading} reading
 */
function heardPair({ nowMicros, mixSeconds, heardSeconds, heardAtMicros, latencySeconds = 0 }) {
  if (heardAtMicros > 0 && heardSeconds > 0) {
    const ahead = mixSeconds - heardSeconds - (nowMicros - heardAtMicros) / 1e6;
    if (ahead >= LEAST_AHEAD_SECONDS && ahead <= MOST_AHEAD_SECONDS) {
      const missing = ahead < latencySeconds / 2 ? latencySeconds : 0;
      return { atMicros: heardAtMicros + missing * 1e6, seconds: heardSeconds };
    }
  }
  // The mix runs from one device block to the next in leaps; that noise is the filter's to smooth.
  return { atMicros: nowMicros + latencySeconds * 1e6, seconds: mixSeconds };
}

/**
 * Which context time is heard when: a straight line through the last seconds of readings, of which
 * a few wild ones move it not at all.
 */
export class OutputClock {
  /** Readings as the instant and the offset of context time from local time, both in seconds. */
  #readings = [];
  /** How far the mix was ahead of the ear in each of them, in seconds. */
  #ahead = [];
  #line = null;
  #mixSeconds = 0;
  /** How far the latest readings were off the line, if all were off. */
  #misses = [];

  /** The device was opened anew: what was read means nothing any more. */
  reset() {
    this.#readings = [];
    this.#ahead = [];
    this.#line = null;
    this.#mixSeconds = 0;
    this.#misses = [];
  }

  /** @param {Reading} reading */
  observe(reading) {
    // A context that claims to run may stand still for a second while its device opens.
    const stands = !(reading.mixSeconds > this.#mixSeconds);
    const begins = this.#mixSeconds === 0;
    this.#mixSeconds = reading.mixSeconds;
    if (stands || begins) return;
    const pair = heardPair(reading);
    const at = pair.atMicros / 1e6;
    const offset = pair.seconds - at;
    if (this.#hasStepped(this.#line ? offset - this.#offsetAt(at) : 0)) {
      this.#readings = this.#readings.slice(1 - STEP_READINGS);
      this.#ahead = this.#ahead.slice(1 - STEP_READINGS);
      this.#misses = [];
    }
    this.#readings.push({ at, offset });
    if (this.#readings.length > READINGS) this.#readings.shift();
    this.#line = fitLine(this.#readings);
    this.#ahead.push(reading.mixSeconds - this.contextAt(reading.nowMicros));
    if (this.#ahead.length > READINGS_AHEAD) this.#ahead.shift();
  }

  /** Whether there is an idea yet of what is heard when. */
  get ready() {
    return this.#line !== null;
  }

  /** Whether the model rests on enough readings to hold a sounding voice by it. */
  get settled() {
    return this.#line !== null && this.#readings.length >= READINGS_FOR_SLOPE;
  }

  /** Seconds of context time per second of local time. Only once `ready`. */
  get speed() {
    return 1 + this.#line.slope;
  }

  /** The context time that is heard at `localMicros`. Only once `ready`. */
  contextAt(localMicros) {
    const at = localMicros / 1e6;
    return at + this.#offsetAt(at);
  }

  /** When a context time is heard, in µs of local time: the inverse. Only once `ready`. */
  localAt(contextSeconds) {
    const { at, offset, slope } = this.#line;
    return (at + (contextSeconds - offset - at) / (1 + slope)) * 1e6;
  }

  /**
   * A bound on how far the model is off, in µs: what the browser's word wanders by, which no reading
   * shows, and two standard errors of the readings; null until settled.
   */
  get errorMicros() {
    return this.settled ? (WANDER_SECONDS + 2 * this.#line.deviation) * 1e6 : null;
  }

  /** How far the mix runs ahead of the ear: usually, in µs; null until `ready`. */
  get latencyMicros() {
    return this.#line && Math.max(0, Math.round(median(this.#ahead) * 1e6));
  }

  /** The same at its worst: a source started later than this before its time comes too late. */
  get worstAheadMicros() {
    return this.#line && Math.max(0, Math.round(Math.max(...this.#ahead) * 1e6));
  }

  #hasStepped(miss) {
    this.#misses = Math.abs(miss) > STEP_SECONDS ? [...this.#misses, miss].slice(-STEP_READINGS) : [];
    const spread = Math.max(...this.#misses) - Math.min(...this.#misses);
    return this.#misses.length === STEP_READINGS && spread < 2 * STEP_SECONDS;
  }

  #offsetAt(at) {
    return this.#line.offset + this.#line.slope * (at - this.#line.at);
  }

}

/**
 * The line through readings: Tukey's resistant line tells which of them are wild, least squares
 * draw it through the others. Its slope is taken as far as it is more than noise and wander can
 * make: clocks run as crystals do unless there is reason to believe otherwise.
 */
function fitLine(readings) {
  const at = readings[readings.length - 1].at;
  const sloped = readings.length >= READINGS_FOR_SLOPE;
  const guess = sloped ? resistantSlope(readings) : 0;
  const residuals = readings.map((r) => r.offset - guess * r.at);
  const middle = median(residuals);
  const off = residuals.map((residual) => Math.abs(residual - middle));
  // 1.48 times the median deviation is the standard deviation of normal noise.
  const most = Math.max(WILD * 1.48 * median(off), GRAIN_SECONDS);
  const tame = readings.filter((_, index) => off[index] <= most);

  const meanAt = mean(tame.map((r) => r.at));
  const meanOffset = mean(tame.map((r) => r.offset));
  const spread = sum(tame.map((r) => (r.at - meanAt) ** 2));
  if (!sloped) return { at, slope: 0, offset: meanOffset, deviation: Infinity };
  const steep = sum(tame.map((r) => (r.at - meanAt) * (r.offset - meanOffset))) / spread;
  const noise = mean(tame.map((r) => (r.offset - meanOffset - steep * (r.at - meanAt)) ** 2));
  const variance = noise / spread + (WANDER_SECONDS / (at - readings[0].at)) ** 2;
  // Three standard errors away from all crystals, it is the clock that is odd.
  const believable = Math.max(CRYSTAL ** 2, steep ** 2 - 9 * variance);
  const sure = believable / (believable + variance);
  const slope = sure * Math.min(MOST_SLOPE, Math.max(-MOST_SLOPE, steep));
  const deviation = Math.sqrt(noise / tame.length);
  return { at, slope, offset: meanOffset + slope * (at - meanAt), deviation };
}

/** Through the medians of the first and the last third. */
function resistantSlope(readings) {
  const third = Math.floor(readings.length / 3);
  const [old, recent] = [readings.slice(0, third), readings.slice(-third)];
  const rise = median(recent.map((r) => r.offset)) - median(old.map((r) => r.offset));
  return rise / (median(recent.map((r) => r.at)) - median(old.map((r) => r.at)));
}

/**
 * @typedef {object} Placement How to start a source.
 * @property {number} when context time to start it at
 * @property {number} offset where in the sound, in seconds of the sound, to begin
 * @property {number} lateSeconds how late that is; 0 if it sounds from its start, on time
 */

/**
 * Where to start a sound so that it is heard as promised: from its beginning if there is time, else
 * in the middle, at the position where it should be by then.
 *
 * @param {object} sound
 * @param {number} sound.startSeconds context time at which its first frame is due
 * @param {number} sound.lengthSeconds of the sound at its own speed
 * @param {number} sound.rate factor on its speed
 * @param {number} mixSeconds where the mix is now
 * @param {number} sampleRate of the context
 * @returns {Placement | null} null if it is over
 */
export function place({ startSeconds, lengthSeconds, rate }, mixSeconds, sampleRate) {
  // The quantum at `mixSeconds` may be under way: the next one is the first that can be had.
  const earliest = mixSeconds + QUANTUM_FRAMES / sampleRate;
  if (startSeconds >= earliest) return { when: startSeconds, offset: 0, lateSeconds: 0 };
  const lateSeconds = earliest - startSeconds;
  const offset = lateSeconds * rate;
  return offset < lengthSeconds ? { when: earliest, offset, lateSeconds } : null;
}
