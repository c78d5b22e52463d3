//! The device clock, on what sound servers really said; see `tests/traces/README.md`. Its constants were
//! chosen on `late`, `open-close`, `small-latency` and `busy`, and are judged here on others too.

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

#[test]
fn what_it_was_not_tuned_on_is_followed_as_well() -> Result<()> {
    expect(replay("late-2.trace")?, 100.0, 50.0, 0.1);
    expect(replay("open-close-2.trace")?, 150.0, 75.0, 0.2);
    expect(replay("small-latency-2.trace")?, 300.0, 150.0, 0.5);
    Ok(())
}

#[test]
fn a_player_that_stands_still_until_its_stream_has_run_dry_finds_its_place() -> Result<()> {
    expect(replay("underrun.trace")?, 400.0, 50.0, 0.2);
    Ok(())
}

/// Its timestamps scatter by 40 us from one block to the next.
#[test]
fn pipewire_is_followed_within_the_scatter_of_its_timestamps() -> Result<()> {
    expect(replay("pipewire.trace")?, 500.0, 150.0, 0.4);
    Ok(())
}

/// The sink stands still for 2 s: one step, after which the clock is right again.
#[test]
fn a_suspended_sink_is_one_step() -> Result<()> {
    let f = replay("suspend.trace")?;
    assert_eq!(f.steps, 1, "{f:?}");
    assert!(f.p99_micros <= 75.0, "{f:?}");
    assert!(f.apart_seconds <= 0.3, "{f:?}");
    assert!(f.within_bound >= 0.99, "{f:?}");
    Ok(())
}
