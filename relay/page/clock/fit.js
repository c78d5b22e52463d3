// Fits relay time as a line over local time: probes bound it from above, replies from below.
//
// A port of the desktop client's `clock/fit.rs`; the reason for each step is given there. Pure.

/** How far two clocks may wander off the line of constant drift, per microsecond. */
export const WANDER = 0.5e-6;

/** Maximum drift. */
const MAX_DRIFT = 1000e-6;

/** Minimum scale of the distribution of excess delays. */
const MIN_SCALE = 5;

/** Slopes less likely than the best one by more than this, in nats, are left out. */
const DEPTH = 10;

/** A loss of slack below this is never significant. */
const SIGNIFICANT = 50;

/** Number of slopes to sum over, to either side of the best. */
const STEPS = 16;

/** The likeliest line between the ceilings and the floors, relative to local time 0. */
export function fitLine(ceilings, floors, prior, guess) {
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

  const best = peak(ln, -MAX_DRIFT, MAX_DRIFT);
  const edge = ln(best) - DEPTH;
  const height = middle(best);
  let [w, wd, wm, wdd, wdm, wmm] = [1e-300, 0, 0, 0, 0, 0];
  for (const end of [-MAX_DRIFT, MAX_DRIFT]) {
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
export function spreadAt({ offsetVariance, covariance, driftVariance }, at) {
  return Math.sqrt(Math.max(0, offsetVariance + at * (2 * covariance + at * driftVariance)));
}

/** How unlikely it is, in nats, that a window with `slack` came to have as little as `fit` has. */
export function oddsAgainst(fit, slack, weight) {
  const loss = slack - fit.slack;
  return loss > SIGNIFICANT ? loss * weight : 0;
}

/** The lower convex hull of the points, and their density near the minimum delay. */
function makeSide(points, drift) {
  const excess = points.map((p) => p.offset - drift * p.at).sort((a, b) => a - b);
  const scale = (excess[excess.length >> 1] - excess[0]) / Math.LN2;
  const weight = points.length / Math.max(scale, MIN_SCALE);

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

/** The intercept at local time 0 of the line of this slope that touches the hull from below. */
function lowest(hull, slope) {
  let intercept = Infinity;
  for (const p of hull) intercept = Math.min(intercept, p.offset - slope * p.at);
  return intercept;
}

/** The maximum of a concave function, by golden-section search. */
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

/** Where a function that falls from `top` to `end` crosses `level`, by bisection. */
function descend(f, top, end, level) {
  let [inside, outside] = [top, end];
  for (let i = 0; i < 24; i += 1) {
    const middle = 0.5 * (inside + outside);
    if (f(middle) > level) inside = middle;
    else outside = middle;
  }
  return outside;
}
