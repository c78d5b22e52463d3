//! The device clock on recorded timestamps of sound servers; see `tests/traces/README.md`. Its
//! constants were tuned on `late`, `open-close`, `small-latency` and `busy`; the other traces
//! validate them.

use std::path::Path;

use anyhow::Result;
use downbeat_tests::replay::{Figures, Trace};

fn replay(name: &str) -> Result<Figures> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(name);
    let figures = Trace::read(&file)?.replay();
    println!("{name}: {figures:.1?}");
    Ok(figures)
}

#[track_caller]
fn expect(f: Figures, max_micros: f64, p99_micros: f64, apart_seconds: f64) {
    assert!(f.max_micros <= max_micros, "{f:?}");
    assert!(f.p99_micros <= p99_micros, "{f:?}");
    assert!(f.apart_seconds <= apart_seconds, "{f:?}");
    assert!(f.within_bound >= 0.99, "{f:?}");
    assert_eq!(f.steps, 0, "{f:?}");
}

#[test]
fn machines_that_join_late_do_not_disturb_a_playing_one() -> Result<()> {
    expect(replay("late.trace")?, 100.0, 50.0, 0.1);
    Ok(())
}

#[test]
fn a_clock_slip_when_other_streams_open_is_tracked() -> Result<()> {
    expect(replay("open-close.trace")?, 100.0, 75.0, 0.1);
    Ok(())
}

#[test]
fn a_busy_processor_does_not_disturb_the_clock() -> Result<()> {
    expect(replay("busy.trace")?, 50.0, 20.0, 0.0);
    Ok(())
}

/// Each slip lasts a second; the clock's error must not.
#[test]
fn a_slip_of_2000_ppm_is_tracked_within_half_a_second() -> Result<()> {
    expect(replay("small-latency.trace")?, 200.0, 100.0, 0.2);
    Ok(())
}

#[test]
fn traces_that_were_not_used_for_tuning_are_tracked_too() -> Result<()> {
    expect(replay("late-2.trace")?, 100.0, 50.0, 0.1);
    expect(replay("open-close-2.trace")?, 150.0, 75.0, 0.2);
    expect(replay("small-latency-2.trace")?, 300.0, 150.0, 0.5);
    Ok(())
}

#[test]
fn the_clock_recovers_after_an_underrun() -> Result<()> {
    expect(replay("underrun.trace")?, 400.0, 50.0, 0.2);
    Ok(())
}

/// Its timestamps have 40 us of jitter from block to block.
#[test]
fn pipewire_is_tracked_within_the_jitter_of_its_timestamps() -> Result<()> {
    expect(replay("pipewire.trace")?, 500.0, 150.0, 0.4);
    Ok(())
}

/// The sink is suspended for 2 s: the clock reports one step and is accurate afterwards.
#[test]
fn a_suspended_sink_is_reported_as_one_step() -> Result<()> {
    let f = replay("suspend.trace")?;
    assert_eq!(f.steps, 1, "{f:?}");
    assert!(f.p99_micros <= 75.0, "{f:?}");
    assert!(f.apart_seconds <= 0.3, "{f:?}");
    assert!(f.within_bound >= 0.99, "{f:?}");
    Ok(())
}
