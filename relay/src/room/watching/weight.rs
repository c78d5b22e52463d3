//! How much a change of a report matters to those who watch.
//!
//! Pure. Figures that scatter are noise to a person: they are repeated when they have moved by a fifth. An idle
//! room is then told next to nothing.

use downbeat_protocol::Report;

/// How much a change matters, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Not at all.
    None,
    /// It can wait: a counter, a figure that has moved.
    Small,
    /// A person who looks at the machine must see it at once.
    Large,
}

/// The clock error below which a change is noise, in microseconds.
const CLOCK_ERROR_NOISE: u32 = 20;

/// The latency, or lead, below which a change is noise, in microseconds.
const LATENCY_NOISE: u32 = 500;

/// The change of the level that can be seen, in dB.
const LEVEL_STEP_DB: u32 = 3;

/// How much it matters that a report has become another.
pub(super) fn of_change(before: Option<&Report>, after: Option<&Report>) -> Weight {
    let (before, after) = match (before, after) {
        (None, None) => return Weight::None,
        (Some(before), Some(after)) => (before, after),
        _ => return Weight::Large,
    };
    // All fields by name, so that the compiler asks about a new one.
    let Report {
        lead_micros,
        clock_error_micros,
        latency_micros,
        triggers,
        late,
        lateness_micros,
        xruns,
        bank,
        ready,
        missing,
        output,
        level_db,
        volume_db,
        muted,
        extra_latency_micros,
    } = after;
    let is_large = *late != before.late
        || *xruns != before.xruns
        || *bank != before.bank
        || *ready != before.ready
        || *missing != before.missing
        || *output != before.output
        || *volume_db != before.volume_db
        || *muted != before.muted
        || *extra_latency_micros != before.extra_latency_micros
        || level_db.is_some() != before.level_db.is_some();
    if is_large {
        return Weight::Large;
    }
    let level = level_db.zip(before.level_db).map_or(0, |(after, before)| after.abs_diff(before));
    let is_small = *triggers != before.triggers
        || *lateness_micros != before.lateness_micros
        || level >= LEVEL_STEP_DB;
    [
        if is_small { Weight::Small } else { Weight::None },
        figure(before.clock_error_micros, *clock_error_micros, CLOCK_ERROR_NOISE),
        figure(before.latency_micros, *latency_micros, LATENCY_NOISE),
        figure(before.lead_micros, *lead_micros, LATENCY_NOISE),
    ]
    .into_iter()
    .max()
    .unwrap_or(Weight::None)
}

/// How much it matters that a figure has moved: not by less than a fifth, or by noise; much if it has doubled or
/// halved, or is no longer known.
fn figure(before: Option<u32>, after: Option<u32>, noise: u32) -> Weight {
    let (before, after) = match (before, after) {
        (None, None) => return Weight::None,
        (Some(before), Some(after)) => (before, after),
        _ => return Weight::Large,
    };
    let moved = after.abs_diff(before);
    if moved <= noise || moved < before / 5 {
        Weight::None
    } else if moved > 5 * noise && (after / 2 >= before || after <= before / 2) {
        Weight::Large
    } else {
        Weight::Small
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_matters_when_it_has_moved_by_a_fifth_and_much_when_it_has_doubled() {
        for (before, after, weight) in [
            (Some(1000), Some(1000), Weight::None),
            (Some(1000), Some(1190), Weight::None),
            (Some(1000), Some(1210), Weight::Small),
            (Some(1000), Some(790), Weight::Small),
            (Some(1000), Some(2000), Weight::Large),
            (Some(1000), Some(500), Weight::Large),
            (Some(30), Some(49), Weight::None),
            (Some(30), Some(61), Weight::Small),
            (Some(30), Some(3000), Weight::Large),
            (Some(30), None, Weight::Large),
            (None, Some(30), Weight::Large),
            (None, None, Weight::None),
            (Some(u32::MAX), Some(0), Weight::Large),
        ] {
            assert_eq!(figure(before, after, 20), weight, "{before:?} to {after:?}");
        }
    }

    #[test]
    fn each_field_has_its_weight() {
        let before = Report {
            lead_micros: Some(14_000),
            clock_error_micros: Some(30),
            latency_micros: Some(10_000),
            output: Some("hdmi".into()),
            bank: Some(1),
            ready: Some(12),
            ..Report::default()
        };
        let change = |change: fn(&mut Report)| {
            let mut after = before.clone();
            change(&mut after);
            of_change(Some(&before), Some(&after))
        };
        assert_eq!(change(|_| {}), Weight::None);
        for small in [
            (|r| r.triggers = 9) as fn(&mut Report),
            |r| r.lateness_micros = Some(0),
            |r| r.latency_micros = Some(13_000),
        ] {
            assert_eq!(change(small), Weight::Small);
        }
        for large in [
            (|r| r.late = 1) as fn(&mut Report),
            |r| r.xruns = 1,
            |r| r.bank = Some(2),
            |r| r.ready = Some(13),
            |r| r.missing = vec!["gong".into()],
            |r| r.output = None,
            |r| r.volume_db = Some(-6.0),
            |r| r.muted = true,
            |r| r.extra_latency_micros = Some(0),
            |r| r.level_db = Some(-12),
            |r| r.lead_micros = None,
            |r| r.clock_error_micros = Some(4000),
        ] {
            assert_eq!(change(large), Weight::Large);
        }
        assert_eq!(of_change(None, Some(&before)), Weight::Large);
        assert_eq!(of_change(None, None), Weight::None);
        let level = |level_db| Report { level_db: Some(level_db), ..Report::default() };
        assert_eq!(of_change(Some(&level(-12)), Some(&level(-14))), Weight::None);
        assert_eq!(of_change(Some(&level(-12)), Some(&level(-40))), Weight::Small);
    }
}
