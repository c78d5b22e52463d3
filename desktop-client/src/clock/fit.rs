//! Fits a line of relay time to a window of exchanges, with its covariance.
//!
//! Let `o(t)` be relay time minus local time. A probe takes time to travel, so the relay's timestamp
//! says that `o <= received - sent`: a *ceiling*. The reply takes time too: `o >= replied - arrived`:
//! a *floor*. Whatever the network does, `o` runs between the lowest ceilings and the highest floors.
//! Two clocks drift apart at an almost constant rate, so `o` is a line, and a line of slope `d` can
//! move up and down by `slack(d)`: half the gap between the ceilings and the floors when both are
//! sheared by `d`. Only the points of two convex hulls matter
//! (Moon, Skelly and Towsley, "Estimation and removal of clock skew from network delay
//! measurements", INFOCOM 1999).
//!
//! Which slope? If the delay of each direction is the same least delay `m` plus an exponentially
//! distributed excess of mean `s`, the likelihood of a line is `exp(2 n m / s)`, as far as `m` fits
//! between the line and every point. Integrated over `m` and over the height of the line:
//!
//! - for a given slope the best height is the middle of the gap, and the truth is spread around it
//!   as a Laplace distribution of scale `s / 2n`;
//! - the slopes are weighted by `exp((2 n / s) slack(d))`, times the prior of drift (crystals are
//!   within some tens of ppm; after a step, the drift from before it).
//!
//! The estimate is the mean under those weights. It is a concave, one-dimensional problem: find the
//! peak, descend to where the weight vanishes, and sum. The exponential is only a model: it takes the
//! density of delays near the shortest one, which decides; spikes do not enter.
//!
//! That both directions have the same shortest delay cannot be verified from one end: so the error
//! bound always includes half the shortest round trip, in addition to the spread.

/// One moment of an exchange: local time in microseconds, relay minus local time in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub at: f64,
    pub offset: f64,
}

/// The prior of drift: a hyperbolic distribution, bell-shaped near its centre and with exponential
/// tails, so that a clock that is far off needs little data to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct DriftPrior {
    pub centre: f64,
    pub scale: f64,
}

impl DriftPrior {
    fn ln(&self, drift: f64) -> f64 {
        let z = (drift - self.centre) / self.scale;
        1.0 - (1.0 + z * z).sqrt()
    }
}

/// A fitted line, as of local time 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Relay minus local time, in microseconds.
    pub offset: f64,
    /// How fast that grows: microseconds per microsecond.
    pub drift: f64,
    pub offset_variance: f64,
    pub drift_variance: f64,
    pub covariance: f64,
    /// Slack of the best line; negative if no line fits.
    pub slack: f64,
    /// Log likelihood, in nats, per microsecond of slack.
    pub weight: f64,
}

/// Deviation of two clocks from constant drift, in microseconds per microsecond. A crystal whose
/// temperature changes by a few degrees moves by half a ppm.
pub(super) const WANDER: f64 = 0.5e-6;

/// Largest drift considered: the kernel slews by 500 ppm at most.
const MAX_DRIFT: f64 = 1000e-6;

/// Lower bound of the scale of excess delays, in microseconds: timestamps have a resolution, and
/// wake-ups jitter.
const MIN_SCALE: f64 = 5.0;

/// Slopes this much less likely than the best one, in nats, are left out.
const DEPTH: f64 = 10.0;

/// A loss of slack below this, in microseconds, is inaudible and never counts.
const AUDIBLE: f64 = 50.0;

/// Slopes that are summed over, on each side of the best.
const STEPS: i32 = 16;

impl Fit {
    /// Fits a line to the points, in any order; local time 0 should be near the newest.
    ///
    /// `guess` is the drift as it was last known: delays are compared with each other along it.
    /// Bounds age: the line may violate an old one by [`WANDER`] times its age.
    pub fn new(ceilings: &[Point], floors: &[Point], prior: DriftPrior, guess: f64) -> Self {
        let raised = ceilings
            .iter()
            .map(|p| Point { at: p.at, offset: p.offset + WANDER * p.at.abs() })
            .collect();
        let mirrored = floors
            .iter()
            .map(|p| Point { at: p.at, offset: -p.offset + WANDER * p.at.abs() })
            .collect();
        let upper = Side::new(raised, guess);
        let lower = Side::new(mirrored, -guess);

        let weight = upper.weight + lower.weight;
        let slack = |drift: f64| 0.5 * (upper.lowest(drift) + lower.lowest(-drift));
        let middle = |drift: f64| 0.5 * (upper.lowest(drift) - lower.lowest(-drift));
        let ln = |drift: f64| weight * slack(drift) + prior.ln(drift);

        let best = peak(&ln, -MAX_DRIFT, MAX_DRIFT);
        let edge = ln(best) - DEPTH;

        // Sums are taken about the best line, so that nothing is lost by cancellation, and in
        // steps of their own to either side of it: one may be much the steeper.
        let height = middle(best);
        // Not zero, so that the division below is defined when every step's weight underflows.
        let mut w = 1e-300;
        let (mut wd, mut wm, mut wdd, mut wdm, mut wmm) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for end in [-MAX_DRIFT, MAX_DRIFT] {
            let step = (descend(&ln, best, end, edge) - best) / f64::from(STEPS);
            for i in 0..STEPS {
                let d = (f64::from(i) + 0.5) * step;
                let m = middle(best + d) - height;
                let share = step.abs() * (ln(best + d) - edge - DEPTH).exp();
                w += share;
                wd += share * d;
                wm += share * m;
                wdd += share * d * d;
                wdm += share * d * m;
                wmm += share * m * m;
            }
        }
        let (d, m) = (wd / w, wm / w);
        let across = 0.25 / (upper.weight * upper.weight) + 0.25 / (lower.weight * lower.weight);
        Self {
            offset: height + m,
            drift: best + d,
            offset_variance: across + (wmm / w - m * m).max(0.0),
            drift_variance: (wdd / w - d * d).max(0.0),
            covariance: wdm / w - d * m,
            slack: slack(best),
            weight,
        }
    }

    /// Standard deviation of the offset at local time `at`, if both directions have the same least
    /// delay.
    pub fn spread(&self, at: f64) -> f64 {
        let variance =
            self.offset_variance + at * (2.0 * self.covariance + at * self.drift_variance);
        variance.max(0.0).sqrt()
    }

    /// How improbable it is, in nats, that a window with this `slack` and weight has lost as much as
    /// this fit shows; 0 if the loss is too small to matter.
    pub fn odds_against(&self, slack: f64, weight: f64) -> f64 {
        let loss = slack - self.slack;
        if loss > AUDIBLE { loss * weight } else { 0.0 }
    }
}

/// The ceilings, or the floors upside down.
struct Side {
    /// The lower convex hull.
    hull: Vec<Point>,
    /// Points per microsecond of delay, near the shortest one.
    weight: f64,
}

impl Side {
    fn new(mut points: Vec<Point>, drift: f64) -> Self {
        let count = points.len() as f64;
        let mut excess: Vec<f64> = points.iter().map(|p| p.offset - drift * p.at).collect();
        excess.sort_by(f64::total_cmp);
        // The median of an exponential distribution is ln 2 of its mean.
        let scale = (excess[excess.len() / 2] - excess[0]) / std::f64::consts::LN_2;
        let weight = count / scale.max(MIN_SCALE);

        points.sort_by(|a, b| a.at.total_cmp(&b.at));
        let mut hull: Vec<Point> = Vec::new();
        for p in points {
            while let [.., a, b] = hull[..] {
                if (b.offset - a.offset) * (p.at - a.at) < (p.offset - a.offset) * (b.at - a.at) {
                    break;
                }
                hull.pop();
            }
            hull.push(p);
        }
        Self { hull, weight }
    }

    /// Where the line of this slope that touches the points from below crosses local time 0.
    fn lowest(&self, slope: f64) -> f64 {
        self.hull.iter().map(|p| p.offset - slope * p.at).fold(f64::INFINITY, f64::min)
    }
}

/// Where a concave function is largest, by golden section.
fn peak(f: &impl Fn(f64) -> f64, mut from: f64, mut to: f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (to - GOLDEN * (to - from), from + GOLDEN * (to - from));
    let (mut fa, mut fb) = (f(a), f(b));
    for _ in 0..36 {
        if fa < fb {
            from = a;
            (a, fa) = (b, fb);
            b = from + GOLDEN * (to - from);
            fb = f(b);
        } else {
            to = b;
            (b, fb) = (a, fa);
            a = to - GOLDEN * (to - from);
            fa = f(a);
        }
    }
    0.5 * (from + to)
}

/// Where, between `top` and `end`, a function that falls from `top` on passes `level`.
fn descend(f: &impl Fn(f64) -> f64, top: f64, end: f64, level: f64) -> f64 {
    let (mut inside, mut outside) = (top, end);
    for _ in 0..24 {
        let middle = 0.5 * (inside + outside);
        if f(middle) > level { inside = middle } else { outside = middle }
    }
    outside
}
