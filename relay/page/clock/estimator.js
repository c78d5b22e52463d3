// Estimates relay time from probes, with an error bound.
//
// A port of the desktop client's `clock/estimator.rs`, step by step; the reason for each step is given
// there. `tests/vectors/clock.json` holds both to the same numbers.
//
// Pure, except `tickMicros`, which reads the clock that it is given. All times are in microseconds;
// local times may have fractions.

import { WANDER, fitLine, oddsAgainst, spreadAt } from './fit.js';

/** Number of exchanges kept. */
const WINDOW = 256;

/** Relay times beyond this are not exact in a double, and not plausible. */
const MAX_RELAY_TIME = 2 ** 53;

/** Number of exchanges before the first estimate. */
const MIN_EXCHANGES = 4;

/** A break of the clock is detected by comparing this many of the newest exchanges with the older ones. */
const RECENT = 12;

/** Probes in a burst, and their interval. */
const BURST = 16;
const BURST_MICROS = 20_000;

/** The steady interval, by the spread of the estimate: four probes a second to one a second. */
const MIN_INTERVAL_MICROS = 250_000;
const MAX_INTERVAL_MICROS = 1_000_000;
const COARSE_SPREAD = 50;

/** No probe for this long means that the page was asleep. */
const ASLEEP_MICROS = 5_000_000;

/** After this long without an exchange, the old ones say less than the first new one. */
const STALE_MICROS = 600_000_000;

/** A contradiction between timestamps below this does not prove a break. */
const TOLERANCE = 100;

/** How unlikely, in nats, a loss of slack must be to trigger a burst, and to prove a break. */
const SUSPICION = 6;
const PROOF = 12;

/** The prior of the drift at first, and the scale of its change over a break. */
const ANY_CRYSTALS = { centre: 0, scale: 50e-6 };
const SAME_CRYSTALS = 30e-6;

/**
 * The resolution of a clock: browsers round `performance.now()` down to as much as a millisecond.
 * Reads the clock until it has advanced a few times, within a bounded number of reads.
 *
 * @param {() => number} readMicros the clock
 */
export function tickMicros(readMicros) {
  let last = readMicros();
  let smallest = 20_000;
  for (let reads = 0, ticks = 0; reads < 1_000_000 && ticks < 8; reads += 1) {
    const now = readMicros();
    if (now === last) continue;
    smallest = Math.min(smallest, now - last);
    last = now;
    ticks += 1;
  }
  return smallest;
}

/**
 * @typedef {object} Exchange one probe and its reply
 * @property {number} sent when the probe left here
 * @property {number} received when it reached the relay, in relay time
 * @property {number} replied when the reply left the relay, in relay time
 * @property {number} arrived when the reply arrived here
 */

/** Estimates relay time from exchanges, given in the order of their arrival. */
export class ClockEstimator {
  #tick;
  /** @type {Exchange[]} */
  #window = [];
  #prior = ANY_CRYSTALS;
  /** @type {ClockEstimate | null} */
  #estimate = null;
  #usable = false;
  /** When a break was proven: exchanges in flight then are dropped once there are enough later ones. */
  #brokeAt = null;
  /** When a break was suspected that is not proven yet. */
  #suspectedAt = null;
  #burstLeft = BURST;
  #lastSent = null;

  /** @param {number} tick resolution of the local clock, see `tickMicros` */
  constructor(tick = 0) {
    this.#tick = tick;
  }

  /** Discards everything: the relay has a new epoch, and earlier times are void. */
  reset() {
    this.#window = [];
    this.#prior = ANY_CRYSTALS;
    this.#estimate = null;
    this.#usable = false;
    this.#brokeAt = null;
    this.#suspectedAt = null;
    this.#burstLeft = BURST;
    this.#lastSent = null;
  }

  /** Requests a burst of probes: after a reconnection to the same epoch. */
  burst() {
    this.#burstLeft = BURST;
  }

  /** A probe was sent: schedules the next one. */
  probeSent(at) {
    if (this.#lastSent !== null && at - this.#lastSent > ASLEEP_MICROS) this.burst();
    this.#burstLeft = Math.max(0, this.#burstLeft - 1);
    this.#lastSent = at;
  }

  /** When to send the next probe; `now` if it is due. An exchange may bring it forward. */
  nextProbeAt(now) {
    if (this.#lastSent === null) return now;
    let interval = MIN_INTERVAL_MICROS;
    if (this.#burstLeft > 0) {
      interval = BURST_MICROS;
    } else if (this.#estimate) {
      const calm = COARSE_SPREAD / spreadAt(this.#estimate.fit, 0);
      interval = Math.min(MAX_INTERVAL_MICROS, Math.max(MIN_INTERVAL_MICROS, MIN_INTERVAL_MICROS * calm));
    }
    return Math.max(now, this.#lastSent + interval);
  }

  /** The current estimate; null before the first exchanges of an epoch. */
  estimate() {
    return this.#usable ? this.#estimate : null;
  }

  /**
   * Takes an exchange. An impossible one is ignored: a reply that left before its probe came, a longer
   * stay at the relay than the whole round trip, a time out of range.
   *
   * @param {Exchange} exchange
   */
  observe({ sent, received, replied, arrived }) {
    const exchange = { sent, received, replied, arrived: arrived + this.#tick };
    // Written so that NaN is rejected too.
    const possible = exchange.arrived >= sent && replied >= received && replied <= MAX_RELAY_TIME;
    if (!possible || !(roundTrip(exchange) >= -TOLERANCE)) return;

    const age = exchange.arrived - (this.#window.at(-1)?.arrived ?? exchange.arrived);
    if (age > STALE_MICROS) {
      this.#keepDrift();
      this.#window = [];
    } else if (this.#window.length === WINDOW) {
      this.#window.shift();
    }
    this.#window.push(exchange);
    if (this.#brokeAt !== null && this.#sentSince(this.#brokeAt) >= MIN_EXCHANGES) {
      this.#window = this.#window.filter((e) => e.sent >= this.#brokeAt);
      this.#brokeAt = null;
    }

    const count = this.#window.length;
    let fit = this.#fit(0, count);
    let doubt = 0;
    if (fit.slack < -TOLERANCE) {
      this.#keepDrift();
      this.#window = [exchange];
      this.#brokeAt = exchange.arrived;
      this.#suspectedAt = null;
      this.burst();
      fit = this.#fit(0, 1);
    } else if (this.#suspectedAt !== null) {
      const at = this.#suspectedAt;
      doubt = this.#estimate?.doubt ?? 0;
      if (this.#sentSince(at) >= RECENT) {
        this.#suspectedAt = null;
        doubt = 0;
        if (this.#isBreak(at, fit)) {
          this.#keepDrift();
          this.#window = this.#window.filter((e) => e.sent >= at);
          fit = this.#fit(0, this.#window.length);
        }
      }
    } else if (count >= 2 * RECENT) {
      const before = this.#fit(0, count - RECENT);
      if (oddsAgainst(fit, before.slack, before.weight) > SUSPICION) {
        doubt = 2 * (before.slack - fit.slack);
        this.#suspectedAt = exchange.arrived;
        this.burst();
      }
    }

    this.#usable ||= this.#window.length >= MIN_EXCHANGES;
    const shortest = Math.max(0, Math.min(...this.#window.map(roundTrip)));
    this.#estimate = new ClockEstimate(exchange, fit, shortest / 2, doubt);
  }

  #isBreak(at, together) {
    const index = this.#window.findIndex((e) => e.arrived >= at);
    const since = index < 0 ? this.#window.length : index;
    if (since === 0) return false;
    const before = this.#fit(0, since);
    const after = this.#fit(since, this.#window.length);
    return oddsAgainst(together, Math.min(before.slack, after.slack), before.weight) > PROOF;
  }

  #keepDrift() {
    if (!this.#estimate) return;
    const { drift, driftVariance } = this.#estimate.fit;
    this.#prior = { centre: drift, scale: Math.hypot(SAME_CRYSTALS, Math.sqrt(driftVariance)) };
  }

  #sentSince(at) {
    return this.#window.filter((e) => e.sent >= at).length;
  }

  /** Fits a part of the window; times are relative to the arrival of the newest exchange. */
  #fit(from, to) {
    const origin = this.#window.at(-1);
    const point = (local, relay, rounding) => {
      const at = local - origin.arrived;
      return { at, offset: relay - origin.replied + rounding - at };
    };
    const part = this.#window.slice(from, to);
    const ceilings = part.map((e) => point(e.sent, e.received, 1));
    const floors = part.map((e) => point(e.arrived, e.replied, 0));
    const guess = this.#estimate ? this.#estimate.fit.drift : this.#prior.centre;
    return fitLine(ceilings, floors, this.#prior, guess);
  }
}

/**
 * Relay time as a linear function of local time. An estimate does not expire; its error bound grows.
 */
class ClockEstimate {
  #local;
  #relay;
  #halfRoundTrip;

  constructor({ arrived, replied }, fit, halfRoundTrip, doubt) {
    this.#local = arrived;
    this.#relay = replied;
    this.#halfRoundTrip = halfRoundTrip;
    /** For the estimator. */
    this.fit = fit;
    this.doubt = doubt;
    /** How much faster the relay's clock runs than the local one, in parts per million. */
    this.driftPpm = fit.drift * 1e6;
  }

  /** Relay time at a local instant. */
  relayAt(localMicros) {
    const at = localMicros - this.#local;
    return this.#relay + (this.fit.offset + at * this.fit.drift + at);
  }

  /** The local instant of relay time `relayMicros`. */
  localAt(relayMicros) {
    const ahead = relayMicros - this.#relay - this.fit.offset;
    return this.#local + ahead / (1 + this.fit.drift);
  }

  /** A bound on the error for local times around `nowMicros`. */
  errorMicros(nowMicros) {
    const at = nowMicros - this.#local;
    const spread = 3 * spreadAt(this.fit, at) + WANDER * Math.abs(at);
    return Math.ceil(this.#halfRoundTrip + this.doubt + spread);
  }
}

/** Round-trip time on the network; the relay rounds its timestamps down. */
function roundTrip({ sent, received, replied, arrived }) {
  return arrived - sent - (replied - received) + 1;
}
