//! How many milliseconds of sound the server's output is asked to hold.
//!
//! The less it holds, the sooner a bang is heard; but an output that holds too little drops out on a
//! busy machine. So a stream begins with the least, asks for more within seconds
//! when there is repeated trouble, and for less after a minute without any. If a lower latency fails,
//! the next attempt waits four times as long, so that a machine that needs more is left alone.
//!
//! Pure: it reads no clock. Instants are nanoseconds of any clock that does not jump.

use std::fmt;

use pulseaudio::protocol::stream::BufferAttr;

/// What is asked for. The least is still enough for a sink to keep its time: one that holds less renders
/// smaller pieces and rounds each to whole microseconds, and its clock slips at up to 2000 ppm.
const STEPS_MILLIS: [u32; 4] = [5, 10, 20, 40];

/// What the server holds beyond the block that it asks for: the other of two.
const BLOCKS_HELD: u32 = 2;

const SECOND: i64 = 1_000_000_000;

/// So many underruns within [`WITHIN_SECONDS`] raise the latency.
const UNDERRUNS: usize = 3;
const WITHIN_SECONDS: i64 = 10;

/// An underrun this soon after a stream opened or its latency changed comes of that, and is passed over.
const SETTLE_NANOS: i64 = 2 * SECOND;

/// How long nothing may be amiss before the latency is lowered by a step.
const FIRST_PATIENCE_NANOS: i64 = 60 * SECOND;

/// The patience after lowering has failed again and again.
const LONGEST_PATIENCE_NANOS: i64 = 64 * 60 * SECOND;

/// By how much the patience grows with each failure.
const PATIENCE_GROWTH: i64 = 4;

/// A lower latency has failed if it has to be raised within this time, or within the current patience
/// if that is longer.
const PROBATION_NANOS: i64 = 10 * 60 * SECOND;

/// A new latency, and why. It is shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Raised { millis: u32 },
    Lowered { millis: u32, quiet_nanos: i64 },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised { millis } => {
                write!(f, "Output latency raised to {millis} ms: the sound server ran dry ")?;
                write!(f, "{UNDERRUNS} times in {WITHIN_SECONDS} s")
            }
            Self::Lowered { millis, quiet_nanos } => {
                let seconds = quiet_nanos / SECOND;
                write!(f, "Output latency lowered to {millis} ms: no trouble for {seconds} s")
            }
        }
    }
}

/// The latency of one stream.
#[derive(Debug)]
pub(super) struct Latency {
    millis: u32,
    /// It was set by hand, and stays.
    is_fixed: bool,
    /// The latest underruns, oldest first.
    ran_dry: [Option<i64>; UNDERRUNS],
    /// When the stream opened or the latency changed.
    changed: i64,
    /// When there was an underrun or a change last.
    quiet_since: i64,
    patience: i64,
    /// When it was lowered, while that can still fail.
    lowered: Option<i64>,
}

impl Latency {
    /// That of a stream that opens now: the one that was set by hand, or else the least.
    pub(super) fn new(fixed_millis: Option<u32>, now: i64) -> Self {
        Self {
            millis: fixed_millis.unwrap_or(STEPS_MILLIS[0]),
            is_fixed: fixed_millis.is_some(),
            ran_dry: [None; UNDERRUNS],
            changed: now,
            quiet_since: now,
            patience: FIRST_PATIENCE_NANOS,
            lowered: None,
        }
    }

    pub(super) fn millis(&self) -> u32 {
        self.millis
    }

    /// Takes in that the server had nothing of the stream's left to play. Returns the change that this
    /// makes, which is then to be asked for.
    pub(super) fn note_underrun(&mut self, now: i64) -> Option<Change> {
        if self.is_fixed || now - self.changed < SETTLE_NANOS {
            return None;
        }
        self.quiet_since = now;
        self.ran_dry.rotate_left(1);
        self.ran_dry[UNDERRUNS - 1] = Some(now);
        if self.ran_dry[0].is_none_or(|oldest| now - oldest > WITHIN_SECONDS * SECOND) {
            return None;
        }
        let millis = STEPS_MILLIS.into_iter().find(|step| *step > self.millis)?;
        if self.lowered.take().is_some() {
            self.patience = (self.patience * PATIENCE_GROWTH).min(LONGEST_PATIENCE_NANOS);
        }
        self.change(millis, now);
        Some(Change::Raised { millis })
    }

    /// Lowers the latency when nothing has been amiss for long. To be called some times a second.
    pub(super) fn tick(&mut self, now: i64) -> Option<Change> {
        let probation = PROBATION_NANOS.max(self.patience);
        let quiet_nanos = self.patience;
        let is_due = now - self.quiet_since >= quiet_nanos;
        if self.lowered.take_if(|lowered| now - *lowered >= probation).is_some() {
            self.patience = FIRST_PATIENCE_NANOS;
        }
        if self.is_fixed || !is_due {
            return None;
        }
        let millis = STEPS_MILLIS.into_iter().rev().find(|step| *step < self.millis)?;
        self.change(millis, now);
        self.lowered = Some(now);
        Some(Change::Lowered { millis, quiet_nanos })
    }

    fn change(&mut self, millis: u32, now: i64) {
        self.millis = millis;
        self.ran_dry = [None; UNDERRUNS];
        self.changed = now;
        self.quiet_since = now;
    }
}

/// What to ask the server for, so that it wants a block at a time and its output holds so much by
/// itself.
pub(super) fn buffer_attr(
    block_frames: u32,
    millis: u32,
    rate: u32,
    frame_bytes: u32,
) -> BufferAttr {
    let output_frames = (u64::from(rate) * u64::from(millis)).div_ceil(1000) as u32;
    BufferAttr {
        // The server does not stop a stream that has run dry.
        pre_buffering: 0,
        minimum_request_length: block_frames * frame_bytes,
        // Half of what is asked for beyond the two blocks becomes the output's own buffer.
        target_length: (block_frames * BLOCKS_HELD + 2 * output_frames) * frame_bytes,
        ..BufferAttr::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * SECOND;

    /// Runs a stream for so many seconds, on a machine that runs dry each half second whenever the
    /// latency is below what it needs then. Returns when the latency was changed, in seconds, and to
    /// what.
    fn run(latency: &mut Latency, seconds: i64, needed: impl Fn(i64) -> u32) -> Vec<(i64, u32)> {
        let mut changes = Vec::new();
        for half in 0..2 * seconds {
            let now = half * SECOND / 2;
            let is_too_low = latency.millis() < needed(half / 2);
            let raised = if is_too_low { latency.note_underrun(now) } else { None };
            if raised.or_else(|| latency.tick(now)).is_some() {
                changes.push((half / 2, latency.millis()));
            }
        }
        changes
    }

    #[test]
    fn the_latency_stays_at_the_least_without_trouble() {
        let mut latency = Latency::new(None, 0);
        assert_eq!(run(&mut latency, 7200, |_| 0), []);
        assert_eq!(latency.millis(), 5);
    }

    #[test]
    fn repeated_underruns_raise_it_step_by_step_within_seconds() {
        let mut latency = Latency::new(None, 0);
        let changes = run(&mut latency, 60, |_| 40);
        assert_eq!(changes.iter().map(|change| change.1).collect::<Vec<_>>(), [10, 20, 40]);
        assert!(changes[2].0 <= 10, "{changes:?}");
    }

    #[test]
    fn trouble_beyond_the_highest_step_changes_nothing() {
        let mut latency = Latency::new(None, 0);
        assert_eq!(run(&mut latency, 600, |_| u32::MAX).last().map(|last| last.1), Some(40));
    }

    #[test]
    fn single_underruns_far_apart_do_not_raise_it() {
        let mut latency = Latency::new(None, 0);
        for n in 1..100 {
            assert_eq!(latency.note_underrun(n * 6 * SECOND), None);
        }
    }

    #[test]
    fn an_underrun_right_after_the_start_or_a_change_is_passed_over() {
        let mut latency = Latency::new(None, 0);
        let mut burst = |from: i64| {
            (0..10).filter_map(|n| latency.note_underrun(from + n * SECOND / 100)).count()
        };
        assert_eq!(burst(0), 0);
        assert_eq!(burst(3 * SECOND), 1);
        assert_eq!(burst(4 * SECOND), 0);
        assert_eq!(burst(6 * SECOND), 1);
    }

    #[test]
    fn it_is_lowered_one_step_a_minute_once_the_trouble_is_over() {
        let mut latency = Latency::new(None, 0);
        let changes = run(&mut latency, 600, |second| if second < 60 { 40 } else { 0 });
        let lowered = &changes[3..];
        assert_eq!(lowered.iter().map(|change| change.1).collect::<Vec<_>>(), [20, 10, 5]);
        let pauses: Vec<_> = changes[2..].windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert_eq!(pauses, [60, 60, 60], "{changes:?}");
    }

    #[test]
    fn a_machine_that_needs_more_is_seldom_asked_to_do_with_less() {
        let mut latency = Latency::new(None, 0);
        let changes = run(&mut latency, 24 * 3600, |_| 20);
        let lowered: Vec<_> = changes.iter().filter(|change| change.1 == 10).skip(1).collect();
        // After 1, 4, 16 and then every 64 minutes.
        assert!((23..=26).contains(&lowered.len()), "{changes:?}");
        assert_eq!(latency.millis(), 20);
        let pauses: Vec<_> = lowered.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(pauses[3..].iter().all(|pause| *pause >= 3600), "{pauses:?}");
    }

    #[test]
    fn a_step_down_that_holds_makes_the_next_one_quick_again() {
        let mut latency = Latency::new(None, 0);
        // It fails at 5 ms for an hour, and again for a minute much later.
        let needed = |second: i64| {
            if second < 3600 || (10_000..10_060).contains(&second) { 10 } else { 0 }
        };
        let changes = run(&mut latency, 4 * 3600, needed);
        let late: Vec<_> = changes.iter().filter(|change| change.0 >= 10_000).collect();
        assert_eq!(late.len(), 2, "{changes:?}");
        assert!(late[1].0 - late[0].0 <= 120, "{changes:?}");
    }

    #[test]
    fn one_that_was_set_by_hand_stays() {
        let mut latency = Latency::new(Some(30), 0);
        assert_eq!(run(&mut latency, 600, |_| u32::MAX), []);
        assert_eq!(latency.millis(), 30);
    }

    #[test]
    fn a_change_says_what_and_why() {
        let raised = Change::Raised { millis: 20 };
        assert_eq!(
            raised.to_string(),
            "Output latency raised to 20 ms: the sound server ran dry 3 times in 10 s"
        );
        let lowered = Change::Lowered { millis: 10, quiet_nanos: MINUTE };
        assert_eq!(lowered.to_string(), "Output latency lowered to 10 ms: no trouble for 60 s");
    }

    #[test]
    fn the_output_is_asked_for_half_of_what_exceeds_two_blocks() {
        let attr = buffer_attr(480, 5, 48_000, 8);
        assert_eq!((attr.minimum_request_length, attr.target_length), (480 * 8, (960 + 480) * 8));
    }
}
