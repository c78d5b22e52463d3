//! The device clock, on what sound servers really said. Each trace is a recording of one player on a
//! stock PulseAudio; see `tests/traces/README.md`.

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
fn machines_that_come_late_do_not_move_one_that_plays() -> Result<()> {
    expect(replay("late.trace")?, 100.0, 50.0, 0.1);
    Ok(())
}

#[test]
fn a_slip_when_other_streams_open_is_followed() -> Result<()> {
    expect(replay("open-close.trace")?, 100.0, 75.0, 0.1);
    Ok(())
}

#[test]
fn a_busy_processor_does_not_move_it() -> Result<()> {
    expect(replay("busy.trace")?, 50.0, 20.0, 0.0);
    Ok(())
}

/// The slip lasts a second each time; the lag does not.
#[test]
fn a_slip_at_2000_ppm_is_met_within_half_a_second() -> Result<()> {
    expect(replay("small-latency.trace")?, 200.0, 100.0, 0.2);
    Ok(())
}
