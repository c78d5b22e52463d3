// The output clock: which time of the audio context is heard at a given local instant.
//
// Pure: readings of the context go in. No AudioContext, no clock. Local time is performance.now()
// in microseconds; context time is in seconds, as Web Audio counts it.

/** Interval between readings of the context, in ms. */
export const READING_MILLIS = 125;

/** Readings kept: half a minute of them, because the latency that browsers report wanders. */
const READINGS = 240;

/** Latest readings that determine how far the mix runs ahead of the output: five seconds. */
const READINGS_AHEAD = 40;

/** How far the reported latency wanders within the readings, in seconds. Measured against a recording,
 * Chromium over PulseAudio is off by up to 0.4 ms to either side in waves of 5 to 20 s, because the sound
 * server's library interpolates between its timing updates; it is off by more on an overloaded machine. */
const WANDER_SECONDS = 0.0005;

/** Typical relative drift of two crystals: the prior of the slope. */
const TYPICAL_DRIFT = 30e-6;

/** Readings needed before a slope is fitted: one second of them. */
const READINGS_FOR_SLOPE = 9;

/** A reading off the line by more than this many standard deviations, and by more than a clock's
 * resolution, is an outlier. */
const OUTLIER_DEVIATIONS = 4;
const RESOLUTION_SECONDS = 100e-6;

/** Maximum drift of a clock. */
const MAX_SLOPE = 300e-6;

/** This many consecutive readings, this far from the model but close to each other, show that the output
 * has stepped: a buffer underrun, or a driver that corrected its latency. Settled outputs stay within
 * half a millisecond. */
const STEP_READINGS = 3;
const STEP_SECONDS = 0.0015;

/** Plausible range of how far the mix runs ahead of the output; below zero by a clock's resolution. */
const MAX_AHEAD_SECONDS = 2;
const MIN_AHEAD_SECONDS = -0.003;

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @typedef {object} Reading The times of an AudioContext at one moment.
 * @property {number} nowMicros local time
 * @property {number} mixSeconds `currentTime`: the position of the mix
 * @property {number} [heardSeconds] `getOutputTimestamp().contextTime`
 * @property {number} [heardAtMicros] its `performanceTime`, in µs
 * @property {number} [latencySeconds] `outputLatency`, or 0 where there is none
 */

/**
 * The pair of a context time and the local instant at which it is heard.
 *
 * Browsers report it in three ways: as a true pair; as a pair that ignores the output latency; or not
 * at all, in the first second and on some systems always. The three are told apart by how far ahead of
 * the output the pair puts the mix, which cannot be less than the reported latency.
 *
 * @param {Reading} reading
 */
function heardPair({ nowMicros, mixSeconds, heardSeconds, heardAtMicros, latencySeconds = 0 }) {
  if (heardAtMicros > 0 && heardSeconds > 0) {
    const ahead = mixSeconds - heardSeconds - (nowMicros - heardAtMicros) / 1e6;
    if (ahead >= MIN_AHEAD_SECONDS && ahead <= MAX_AHEAD_SECONDS) {
      const missing = ahead < latencySeconds / 2 ? latencySeconds : 0;
      return { atMicros: heardAtMicros + missing * 1e6, seconds: heardSeconds };
    }
  }
  // `currentTime` advances in steps of a device block; the fit averages that noise.
  return { atMicros: nowMicros + latencySeconds * 1e6, seconds: mixSeconds };
}

/** A straight line through the latest readings, fitted robustly against outliers. */
export class OutputClock {
  /** Readings as the instant and the offset of context time from local time, both in seconds. */
  #readings = [];
  /** How far the mix was ahead of the output at the latest readings, in seconds. */
  #ahead = [];
  #line = null;
  #mixSeconds = 0;
  /** Residuals of the latest consecutive readings that were far off the line. */
  #misses = [];

  /** The device was reopened: earlier readings are void. */
  reset() {
    this.#readings = [];
    this.#ahead = [];
    this.#line = null;
    this.#mixSeconds = 0;
    this.#misses = [];
  }

  /** @param {Reading} reading */
  observe(reading) {
    // A running context may stand still for a second while its device opens.
    const stalled = !(reading.mixSeconds > this.#mixSeconds);
    const isFirst = this.#mixSeconds === 0;
    this.#mixSeconds = reading.mixSeconds;
    if (stalled || isFirst) return;
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

  /** Whether there is an estimate. */
  get ready() {
    return this.#line !== null;
  }

  /** Whether the estimate rests on enough readings to steer a sounding voice by it. */
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
   * A bound on the error, in µs: the wander of the reported latency, which no reading shows, plus two
   * standard errors of the readings; null until settled.
   */
  get errorMicros() {
    return this.settled ? (WANDER_SECONDS + 2 * this.#line.deviation) * 1e6 : null;
  }

  /** How far the mix runs ahead of the output: the median, in µs; null until `ready`. */
  get latencyMicros() {
    return this.#line && Math.max(0, Math.round(median(this.#ahead) * 1e6));
  }

  /** The same, the maximum: a source scheduled with less notice starts late. */
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
 * The line through readings: Tukey's resistant line identifies the outliers, least squares fits the
 * others. The slope is shrunk towards zero as far as noise and wander explain it: clocks drift as
 * crystals do unless the readings prove otherwise.
 */
function fitLine(readings) {
  const at = readings[readings.length - 1].at;
  const hasSlope = readings.length >= READINGS_FOR_SLOPE;
  const guess = hasSlope ? resistantSlope(readings) : 0;
  const residuals = readings.map((r) => r.offset - guess * r.at);
  const middle = median(residuals);
  const off = residuals.map((residual) => Math.abs(residual - middle));
  // 1.48 times the median deviation is the standard deviation of normal noise.
  const limit = Math.max(OUTLIER_DEVIATIONS * 1.48 * median(off), RESOLUTION_SECONDS);
  const inliers = readings.filter((_, index) => off[index] <= limit);

  const meanAt = mean(inliers.map((r) => r.at));
  const meanOffset = mean(inliers.map((r) => r.offset));
  const spread = sum(inliers.map((r) => (r.at - meanAt) ** 2));
  if (!hasSlope) return { at, slope: 0, offset: meanOffset, deviation: Infinity };
  const steep = sum(inliers.map((r) => (r.at - meanAt) * (r.offset - meanOffset))) / spread;
  const noise = mean(inliers.map((r) => (r.offset - meanOffset - steep * (r.at - meanAt)) ** 2));
  const variance = noise / spread + (WANDER_SECONDS / (at - readings[0].at)) ** 2;
  // Three standard errors beyond any crystal, the drift is real.
  const plausible = Math.max(TYPICAL_DRIFT ** 2, steep ** 2 - 9 * variance);
  const weight = plausible / (plausible + variance);
  const slope = weight * Math.min(MAX_SLOPE, Math.max(-MAX_SLOPE, steep));
  const deviation = Math.sqrt(noise / inliers.length);
  return { at, slope, offset: meanOffset + slope * (at - meanAt), deviation };
}

/** The slope through the medians of the first and the last third. */
function resistantSlope(readings) {
  const third = Math.floor(readings.length / 3);
  const [early, late] = [readings.slice(0, third), readings.slice(-third)];
  const rise = median(late.map((r) => r.offset)) - median(early.map((r) => r.offset));
  return rise / (median(late.map((r) => r.at)) - median(early.map((r) => r.at)));
}
