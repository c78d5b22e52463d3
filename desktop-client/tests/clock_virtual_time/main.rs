//! The accuracy of the clock estimator, measured against true time in virtual time.
//!
//! `cargo test -p downbeat --test clock_virtual_time -- --nocapture` prints the tables.

mod contract;
mod scenario;
mod vectors;

use scenario::{BUSY, LAN, Run, Scenario, WIFI, Way, run};

const SEEDS: u64 = 20;
const SECONDS: f64 = 120.0;

/// A quantile, by sorting.
fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    assert!(!sorted.is_empty());
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// The results of a scenario over all seeds. Errors and bounds are in microseconds.
struct Figures {
    name: &'static str,
    /// Longest time to the first estimate, in seconds.
    first: f64,
    /// 95th percentile of the errors from 0.5 s to 30 s, and after that.
    early: f64,
    late: f64,
    /// Percentage of samples within their bound.
    honest: f64,
    median_bound: f64,
    median_error: f64,
    /// Probes per run.
    probes: f64,
    /// Time from a jump until all errors stay within their bounds, in seconds: 95th percentile and
    /// maximum.
    back: Option<(f64, f64)>,
}

fn measure(scenario: &Scenario) -> Figures {
    let runs: Vec<Run> = (0..SEEDS).map(|seed| run(scenario, seed, SECONDS)).collect();
    let samples = || runs.iter().flat_map(|r| &r.samples);
    let errors = |from: f64, to: f64| {
        samples().filter(move |s| s.time >= from && s.time < to).map(|s| s.error)
    };
    let honest = samples().filter(|s| s.error <= s.bound).count() as f64;
    let back = scenario.jump.map(|(at, _)| {
        let times: Vec<f64> = runs
            .iter()
            .map(|r| {
                let mut broken = r.samples.iter().filter(|s| s.time >= at && s.error > s.bound);
                broken.next_back().map_or(0.0, |s| s.time - at)
            })
            .collect();
        (quantile(times.clone(), 0.95), quantile(times, 1.0))
    });
    let figures = Figures {
        name: scenario.name,
        first: quantile(runs.iter().map(|r| r.first_estimate), 1.0),
        early: quantile(errors(0.5, 30.0), 0.95),
        late: quantile(errors(30.0, SECONDS), 0.95),
        honest: 100.0 * honest / samples().count() as f64,
        median_bound: quantile(samples().map(|s| s.bound), 0.5),
        median_error: quantile(errors(0.0, SECONDS), 0.5),
        probes: runs.iter().map(|r| r.probes as f64).sum::<f64>() / SEEDS as f64,
        back,
    };
    print(&figures);
    figures
}

fn print_heading() {
    println!(
        "\n{:24} {:>7} {:>9} {:>9} {:>9} {:>8} {:>8} {:>7}  back within bound",
        "", "first", "p95 <30s", "p95 >30s", "honest", "bound", "error", "probes"
    );
}

fn print(f: &Figures) {
    let back =
        f.back.map_or(String::new(), |(p95, worst)| format!("{p95:.2} s (worst {worst:.2} s)"));
    println!(
        "{:24} {:5.3} s {:6.1} us {:6.1} us {:7.2} % {:5.0} us {:5.1} us {:7.0}  {back}",
        f.name, f.first, f.early, f.late, f.honest, f.median_bound, f.median_error, f.probes
    );
}

/// Asserts limits in microseconds, and the percentage of samples within their bound.
fn hold(f: &Figures, early: f64, late: f64, honest: f64) {
    let name = f.name;
    assert!(f.first <= 0.3, "{name}: first estimate after {} s", f.first);
    assert!(f.early <= early, "{name}: {} us before 30 s", f.early);
    assert!(f.late <= late, "{name}: {} us after 30 s", f.late);
    assert!(f.honest >= honest, "{name}: only {} % within the bound", f.honest);
}

#[test]
fn relay_time_is_estimated_on_lan_wifi_and_busy_wifi() {
    print_heading();
    for (name, ordered) in [("", false), (", in order", true)] {
        for (net, way, early, late) in [
            ("LAN", LAN, 30.0, 30.0),
            ("WiFi", WIFI, 300.0, 100.0),
            ("busy WiFi", BUSY, 1000.0, 600.0),
        ] {
            let name = format!("{net}{name}").leak();
            hold(
                &measure(&Scenario { ordered, ..Scenario::symmetric(name, way) }),
                early,
                late,
                99.9,
            );
        }
    }
}

#[test]
fn the_drift_of_any_crystal_is_tracked() {
    print_heading();
    for (name, way, late) in [
        ("LAN, -200 ppm", LAN, 30.0),
        ("WiFi, -200 ppm", WIFI, 100.0),
        ("busy WiFi, -200 ppm", BUSY, 600.0),
    ] {
        let scenario = Scenario { drift_ppm: -200.0, ..Scenario::symmetric(name, way) };
        // An unusually large drift affects only the first seconds.
        hold(&measure(&scenario), late * 5.0, late, 99.9);
    }
    for (name, way, late) in [
        ("LAN, +-2 ppm", LAN, 30.0),
        ("WiFi, +-2 ppm", WIFI, 100.0),
        ("busy WiFi, +-2 ppm", BUSY, 600.0),
    ] {
        let scenario = Scenario { swing_ppm: 2.0, ..Scenario::symmetric(name, way) };
        hold(&measure(&scenario), late * 5.0, late, 99.9);
    }
}

#[test]
fn the_bound_holds_when_one_direction_is_slower() {
    print_heading();
    // Either the minimum delays differ, or only the additional ones.
    let quick = Way { least: 0.2, ..LAN };
    let jammed = Way { least: 0.2, ..BUSY };
    for scenario in [
        Scenario { there: jammed, ..Scenario::symmetric("jammed there", quick) },
        Scenario { back: jammed, ..Scenario::symmetric("jammed back", quick) },
        Scenario { there: WIFI, ..Scenario::symmetric("WiFi there, LAN back", LAN) },
        Scenario { back: BUSY, ..Scenario::symmetric("LAN there, busy back", LAN) },
    ] {
        let figures = measure(&scenario);
        assert!(figures.honest >= 99.0, "{}: {} %", figures.name, figures.honest);
    }
}

#[test]
fn the_bound_holds_for_a_coarse_clock_rounded_outwards() {
    print_heading();
    for (name, way, tick) in [
        ("LAN, 0.1 ms clock", LAN, 100.0),
        ("LAN, 1 ms clock", LAN, 1000.0),
        ("WiFi, 1 ms clock", WIFI, 1000.0),
    ] {
        let figures = measure(&Scenario { tick, ..Scenario::symmetric(name, way) });
        hold(&figures, 2.0 * tick, tick, 99.9);
    }
}

#[test]
fn a_jump_of_either_clock_is_detected_within_two_seconds() {
    print_heading();
    for (name, way, by) in [
        ("LAN, +5 ms", LAN, 5e3),
        ("LAN, -5 ms", LAN, -5e3),
        ("WiFi, +5 ms", WIFI, 5e3),
        ("WiFi, -5 ms", WIFI, -5e3),
        ("busy WiFi, +5 ms", BUSY, 5e3),
        ("busy WiFi, -5 ms", BUSY, -5e3),
        ("LAN, 60 s asleep", LAN, 60e6),
        ("WiFi, 60 s asleep", WIFI, 60e6),
        ("busy WiFi, 60 s asleep", BUSY, 60e6),
        ("WiFi, relay 60 s asleep", WIFI, -60e6),
    ] {
        let figures =
            measure(&Scenario { jump: Some((60.3, by)), ..Scenario::symmetric(name, way) });
        let (p95, _) = figures.back.unwrap();
        assert!(p95 <= 2.0, "{name}: within its bound only after {p95} s");
        // A jump is not detectable before the next probe is answered.
        assert!(figures.honest >= 99.0, "{name}: only {} % within the bound", figures.honest);
    }
}

#[test]
fn a_clock_that_is_slewed_by_500_ppm_is_tracked() {
    print_heading();
    for (name, way, honest) in [
        ("LAN, slewed", LAN, 98.0),
        ("WiFi, slewed", WIFI, 96.0),
        ("busy WiFi, slewed", BUSY, 99.0),
    ] {
        let scenario =
            Scenario { slew: Some((60.0, 70.0, 500.0)), ..Scenario::symmetric(name, way) };
        let figures = measure(&scenario);
        assert!(figures.honest >= honest, "{name}: only {} % within the bound", figures.honest);
    }
}
