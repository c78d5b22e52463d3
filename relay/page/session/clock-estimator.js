// What time it is at the relay: probes in, an estimate with an honest error bound out.
//
// The twin of the desktop client's `session/clock.rs` and `session/clock/fit.rs`, step by step:
// those say why each step is what it is. `tests/vectors/clock.json` holds both to the same numbers.
//
// Pure, but for `tickMicros`, which is given a clock to try out. All times are in microseconds;
// local ones may have fractions.

/** Exchanges that are remembered. */
const WINDOW = 256;

/** Relay times beyond this are not exact, and not honest either. */
const LAST = 2 ** 53;

/** No estimate is given before this many exchanges. */
const FIRST = 4;

/** A break is looked for by comparing this many of the newest exchanges with the older ones. */
const RECENT = 12;

/** Probes in a burst, and the time between them. */
const BURST = 16;
const BURST_MICROS = 20_000;

/** The steady pace, by the spread of the estimate: four probes a second to one a second. */
const LEAST_MICROS = 250_000;
const MOST_MICROS = 1_000_000;
const COARSE_SPREAD = 50;

/** No probe for so long means that the page was asleep. */
const ASLEEP_MICROS = 5_000_000;

/** After so long without an exchange the old ones say less than the first new one. */
const STALE_MICROS = 600_000_000;

/** Stamps that contradict each other by less do not prove a break. */
const TOLERANCE = 100;

/** How unlikely, in nats, a loss of room must be to ask for a burst, and to prove a break. */
const SURPRISE = 6;
const PROOF = 12;

/** How far two clocks may wander off the line of constant drift, per microsecond. */
const WANDER = 0.5e-6;

/** What is believed about drift at first, and how closely it is what it was after a break. */
const ANY_CRYSTALS = { centre: 0, scale: 50e-6 };
const SAME_CRYSTALS = 30e-6;

/** No drift is looked for beyond this. */
const MOST_DRIFT = 1000e-6;

/** Excess delays are never believed to be closer together than this. */
const LEAST_SCALE = 5;

/** How much less likely than the best a slope may be before it is left out, in nats. */
const DEPTH = 10;

/** A loss of room below this never counts. */
const NOTABLE = 50;

/** Slopes that are summed over, to either side of the best. */
const STEPS = 16;

/**
 * How coarsely a clock ticks: browsers round `performance.now()` down to as much as a millisecond.
 * Reads it until it has ticked a few times, and never for ever.
 *
 * @param {() => number} readMicros the clock
 */
export function tickMicros(readMicros) {
  let last = readMicros();
  let least = 20_000;
  for (let reads = 0, ticks = 0; reads < 1_000_000 && ticks < 8; reads += 1) {
    const now = readMicros();
    if (now === last) continue;
    least = Math.min(least, now - last);
    last = now;
    ticks += 1;
  }
  return least;
}

/**
 * @typedef {object} Exchange one probe and its answer
 * @property {number} sent when the probe left here
 * @property {number} received when it reached the relay, in relay time
 * @property {number} replied when the answer left the relay, in relay time
 * @property {number} arrived when the answer arrived here
 */

/** Estimates relay time from exchanges, which are to be given to it in the order of arrival. */
export class ClockEstimator {
  #tick;
  /** @type {Exchange[]} */
  #window = [];
  #prior = ANY_CRYSTALS;
  /** @type {ClockEstimate | null} */
  #estimate = null;
  #usable = false;
  /** When a break was proven: what was in flight then is dropped once there is better. */
  #brokeAt = null;
  /** When a surprise came: a break that has yet to be proven. */
  #suspectedAt = null;
  #burstLeft = BURST;
  #lastSent = null;

  /** @param {number} tick the local clock reads up to so much too early, see `tickMicros` */
  constructor(tick = 0) {
    this.#tick = tick;
  }

  /** Forgets everything: the relay has a new epoch, so none of its times mean anything here. */
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

  /** Asks for a burst: to be called on reconnecting to the same epoch, whose times still hold. */
  burst() {
    this.#burstLeft = BURST;
  }

  /** A probe has left: paces the next one. */
  probeSent(at) {
    if (this.#lastSent !== null && at - this.#lastSent > ASLEEP_MICROS) this.burst();
    this.#burstLeft = Math.max(0, this.#burstLeft - 1);
    this.#lastSent = at;
  }

  /** When the next probe should leave; `now` if it is due. An exchange may bring it forward. */
  nextProbeAt(now) {
    if (this.#lastSent === null) return now;
    let gap = LEAST_MICROS;
    if (this.#burstLeft > 0) {
      gap = BURST_MICROS;
    } else if (this.#estimate) {
      const calm = COARSE_SPREAD / spreadAt(this.#estimate.fit, 0);
      gap = Math.min(MOST_MICROS, Math.max(LEAST_MICROS, LEAST_MICROS * calm));
    }
    return Math.max(now, this.#lastSent + gap);
  }

  /** What is known by now; null before a few exchanges of the epoch. */
  estimate() {
    return this.#usable ? this.#estimate : null;
  }

  /**
   * Takes in an exchange. One that cannot be (its answer left before the probe came, or it was
   * longer at the relay than away from here, or in another age) is ignored.
   *
   * @param {Exchange} exchange
   */
  observe({ sent, received, replied, arrived }) {
    const exchange = { sent, received, replied, arrived: arrived + this.#tick };
    // Written so that a stamp which is no number is refused too.
    const possible = exchange.arrived >= sent && replied >= received && replied <= LAST;
    if (!possible || !(roundTrip(exchange) >= -TOLERANCE)) return;

    const age = exchange.arrived - (this.#window.at(-1)?.arrived ?? exchange.arrived);
    if (age > STALE_MICROS) {
      this.#keepDrift();
      this.#window = [];
    } else if (this.#window.length === WINDOW) {
      this.#window.shift();
    }
    this.#window.push(exchange);
    if (this.#brokeAt !== null && this.#sentSince(this.#brokeAt) >= FIRST) {
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
      if (oddsAgainst(fit, before.slack, before.weight) > SURPRISE) {
        doubt = 2 * (before.slack - fit.slack);
        this.#suspectedAt = exchange.arrived;
        this.burst();
      }
    }

    this.#usable ||= this.#window.length >= FIRST;
    const least = Math.max(0, Math.min(...this.#window.map(roundTrip)));
    this.#estimate = new ClockEstimate(exchange, fit, least / 2, doubt);
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

  /** Fits a part of the window; times count from the newest exchange's arrival. */
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
 * Relay time as a line over local time, as it was known at some moment. It never expires, but its
 * error bound grows.
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

  /** The local instant at which it will be, or was, `relayMicros`. */
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

  /** One standard deviation of the error, if there and back take equally long at best. */
  spreadMicros(nowMicros) {
    return spreadAt(this.fit, nowMicros - this.#local);
  }
}

/** Time on the way, there and back; the relay's stamps are rounded down. */
function roundTrip({ sent, received, replied, arrived }) {
  return arrived - sent - (replied - received) + 1;
}

/** The likeliest line between the ceilings and the floors, as of local time 0. */
function fitLine(ceilings, floors, prior, guess) {
  const aged = ({ at, offset }) => ({ at, offset: offset + WANDER * Math.abs(at) });
  const upper = makeSide(ceilings.map(aged), guess);
  const mirrored = floors.map(({ at, offset }) => ({ at, offset: -offset }));
  const lower = makeSide(mirrored.map(aged), -guess);

  const weight = upper.weight + lower.weight;
  const slack = (drift) => 0.5 * (lowest(upper.hull, drift) + lowest(lower.hull, -drift));
  const middle = (drift) => 0.5 * (lowest(upper.hull, drift) - lowest(lower.hull, -drift));
  const ln = (drift) => {
    const z = (drift - prior.centre) / prior.scale;
    return weight * slack(drift) + (1 - Math.sqrt(1 + z * z));
  };

  const best = peak(ln, -MOST_DRIFT, MOST_DRIFT);
  const edge = ln(best) - DEPTH;
  const height = middle(best);
  let [w, wd, wm, wdd, wdm, wmm] = [1e-300, 0, 0, 0, 0, 0];
  for (const end of [-MOST_DRIFT, MOST_DRIFT]) {
    const step = (descend(ln, best, end, edge) - best) / STEPS;
    for (let i = 0; i < STEPS; i += 1) {
      const d = (i + 0.5) * step;
      const m = middle(best + d) - height;
      const share = Math.abs(step) * Math.exp(ln(best + d) - edge - DEPTH);
      w += share;
      wd += share * d;
      wm += share * m;
      wdd += share * d * d;
      wdm += share * d * m;
      wmm += share * m * m;
    }
  }
  const [d, m] = [wd / w, wm / w];
  const across = 0.25 / (upper.weight * upper.weight) + 0.25 / (lower.weight * lower.weight);
  return {
    offset: height + m,
    drift: best + d,
    offsetVariance: across + Math.max(0, wmm / w - m * m),
    driftVariance: Math.max(0, wdd / w - d * d),
    covariance: wdm / w - d * m,
    slack: slack(best),
    weight,
  };
}

/** Standard deviation of a fit's offset at local time `at`. */
function spreadAt({ offsetVariance, covariance, driftVariance }, at) {
  return Math.sqrt(Math.max(0, offsetVariance + at * (2 * covariance + at * driftVariance)));
}

/** How unlikely it is, in nats, that a window with room for `slack` came to have this little. */
function oddsAgainst(fit, slack, weight) {
  const loss = slack - fit.slack;
  return loss > NOTABLE ? loss * weight : 0;
}

/** The lower convex hull of the points, and their density near the least delay. */
function makeSide(points, drift) {
  const excess = points.map((p) => p.offset - drift * p.at).sort((a, b) => a - b);
  const scale = (excess[excess.length >> 1] - excess[0]) / Math.LN2;
  const weight = points.length / Math.max(scale, LEAST_SCALE);

  const hull = [];
  for (const p of points.sort((a, b) => a.at - b.at)) {
    while (hull.length > 1) {
      const [a, b] = hull.slice(-2);
      if ((b.offset - a.offset) * (p.at - a.at) < (p.offset - a.offset) * (b.at - a.at)) break;
      hull.pop();
    }
    hull.push(p);
  }
  return { hull, weight };
}

/** Where the line of this slope that touches the points from below crosses local time 0. */
function lowest(hull, slope) {
  let least = Infinity;
  for (const p of hull) least = Math.min(least, p.offset - slope * p.at);
  return least;
}

/** Where a concave function is largest, by golden section. */
function peak(f, from, to) {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [to - golden * (to - from), from + golden * (to - from)];
  let [fa, fb] = [f(a), f(b)];
  for (let i = 0; i < 36; i += 1) {
    if (fa < fb) {
      from = a;
      [a, fa] = [b, fb];
      b = from + golden * (to - from);
      fb = f(b);
    } else {
      to = b;
      [b, fb] = [a, fa];
      a = to - golden * (to - from);
      fa = f(a);
    }
  }
  return 0.5 * (from + to);
}

/** Where, between `top` and `end`, a function that falls from `top` on passes `level`. */
function descend(f, top, end, level) {
  let [inside, outside] = [top, end];
  for (let i = 0; i < 24; i += 1) {
    const middle = 0.5 * (inside + outside);
    if (f(middle) > level) inside = middle;
    else outside = middle;
  }
  return outside;
}
