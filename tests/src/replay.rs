//! Replays a recording of `--record-timing` through a device clock, and compares the clock with a
//! smoothed reference from the whole recording. It opens no device and reads no clock.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use downbeat_audio::device_clock::DeviceClock;
use downbeat_platform::local_time::LocalTime;

/// Blocks on each side of a block that its reference time is computed from. The median of seven is
/// exact on a line of any slope, and three late timestamps of seven do not change it.
const NEIGHBOURS: usize = 3;

/// Time in which the clock settles, in seconds. Earlier errors do not count.
const SETTLED_SECONDS: f64 = 1.5;

/// A larger error counts as out of sync, in nanoseconds.
const APART_NANOS: f64 = 50_000.0;

/// The timestamps of one stream.
#[derive(Debug)]
pub struct Trace {
    rate: u32,
    /// The first frame of each block, and the time at which it leaves the converter.
    blocks: Vec<(u64, LocalTime)>,
}

/// The accuracy of a device clock on a trace. Errors are absolute, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Median error.
    pub median_micros: f64,
    /// 99th percentile of the errors.
    pub p99_micros: f64,
    /// The largest error.
    pub max_micros: f64,
    /// The longest time during which the error was above 50 us.
    pub apart_seconds: f64,
    /// Number of steps that the clock reported.
    pub steps: usize,
    /// Share of the errors within the claimed bound.
    pub within_bound: f64,
    /// Median claimed bound, in microseconds.
    pub bound_micros: f64,
}

impl Trace {
    /// Reads the first stream of a recording; the manual documents the format.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a recording.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let (mut rate, mut blocks) = (None, Vec::new());
        for (number, line) in text.lines().enumerate() {
            let wrong = || format!("{}:{}: {line:?}", path.display(), number + 1);
            let mut fields = line.split(' ');
            let kind = fields.next();
            let mut field = || fields.next().and_then(|field| field.parse::<i64>().ok());
            match kind {
                Some("stream") if rate.is_some() => break,
                Some("stream") => {
                    rate = Some(field().and_then(|rate| rate.try_into().ok()).with_context(wrong)?);
                }
                Some("block") => {
                    let (frame, dac) = field().zip(field()).with_context(wrong)?;
                    blocks.push((frame.cast_unsigned(), LocalTime::from_nanos(dac)));
                }
                _ => {}
            }
        }
        let rate = rate.with_context(|| format!("{} is not a timing trace", path.display()))?;
        let least = 2 * (SETTLED_SECONDS * 100.0) as usize;
        ensure!(blocks.len() > least, "{} is too short", path.display());
        Ok(Self { rate, blocks })
    }

    /// Replays the trace.
    #[must_use]
    pub fn replay(&self) -> Figures {
        let mut clock = DeviceClock::new(self.rate);
        let (mut errors, mut bounds) = (Vec::new(), Vec::new());
        let (mut steps, mut within) = (0, 0);
        let (mut apart, mut longest) = (0.0_f64, 0.0_f64);
        for (number, &(frame, dac)) in self.blocks.iter().enumerate() {
            let step = clock.observe(frame, dac);
            let seconds = |frame: u64| frame as f64 / f64::from(self.rate);
            let last = number + NEIGHBOURS >= self.blocks.len();
            if seconds(frame) < SETTLED_SECONDS || last {
                continue;
            }
            steps += usize::from(step.is_some());
            let error = (clock.nanos_from(dac, frame) - self.hindsight_nanos(number)).abs();
            let bound = clock.error_nanos().unwrap_or(f64::INFINITY);
            within += usize::from(error <= bound);
            apart = if error > APART_NANOS {
                apart + seconds(frame - self.blocks[number - 1].0)
            } else {
                0.0
            };
            longest = longest.max(apart);
            errors.push(error / 1e3);
            bounds.push(bound / 1e3);
        }
        errors.sort_by(f64::total_cmp);
        bounds.sort_by(f64::total_cmp);
        Figures {
            median_micros: errors[errors.len() / 2],
            p99_micros: errors[errors.len() * 99 / 100],
            max_micros: errors[errors.len() - 1],
            apart_seconds: longest,
            steps,
            within_bound: within as f64 / errors.len() as f64,
            bound_micros: bounds[bounds.len() / 2],
        }
    }

    /// How early the timestamp of this block was, compared with those around it.
    fn hindsight_nanos(&self, number: usize) -> f64 {
        let residual = |&(frame, dac): &(u64, LocalTime)| {
            let nominal = i128::from(frame) * 1_000_000_000 / i128::from(self.rate);
            (i128::from(dac.as_nanos()) - nominal) as f64
        };
        let around = &self.blocks[number - NEIGHBOURS..=number + NEIGHBOURS];
        let mut residuals: Vec<f64> = around.iter().map(residual).collect();
        residuals.sort_by(f64::total_cmp);
        residuals[NEIGHBOURS] - residual(&self.blocks[number])
    }
}
