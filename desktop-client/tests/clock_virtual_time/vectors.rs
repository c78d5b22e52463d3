//! Test vectors for both clock estimators, this one and the page's.
//!
//! `DOWNBEAT_WRITE_VECTORS=1 cargo test -p downbeat --test clock_virtual_time` regenerates them.
//! Use it only after a deliberate change of the algorithm.

use std::path::PathBuf;

use downbeat::clock::{ClockEstimator, Exchange};
use downbeat::time::LocalTime;
use downbeat_protocol::RelayTime;
use serde::{Deserialize, Serialize};

use crate::scenario::{BUSY, LAN, Scenario, WIFI, Way, run};

#[derive(Serialize, Deserialize)]
struct Vectors {
    about: Vec<String>,
    tolerance_micros: f64,
    tolerance_ppm: f64,
    sequences: Vec<Sequence>,
}

#[derive(Serialize, Deserialize)]
struct Sequence {
    name: String,
    exchanges: Vec<[f64; 4]>,
    checkpoints: Vec<Checkpoint>,
}

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    after: usize,
    local: f64,
    /// Absent if there is no estimate.
    #[serde(flatten)]
    estimate: Option<Estimate>,
    next_probe: f64,
}

#[derive(Serialize, Deserialize)]
struct Estimate {
    relay: f64,
    drift_ppm: f64,
    error: f64,
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/clock.json")
}

fn local(micros: f64) -> LocalTime {
    LocalTime::from_nanos((micros * 1000.0).round() as i64)
}

fn micros(time: LocalTime) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

/// Feeds the exchanges, each as if its probe had just been paced, and returns the estimates at the
/// wanted checkpoints.
fn replay(exchanges: &[[f64; 4]], wanted: &[usize]) -> Vec<Checkpoint> {
    let mut estimator = ClockEstimator::new();
    let mut checkpoints = Vec::new();
    for (index, &[sent, received, replied, arrived]) in exchanges.iter().enumerate() {
        estimator.probe_sent(local(sent));
        estimator.observe(Exchange {
            sent: local(sent),
            received: RelayTime::from_micros(received as u64),
            replied: RelayTime::from_micros(replied as u64),
            arrived: local(arrived),
        });
        if wanted.contains(&(index + 1)) {
            // Some time after the arrival, so that the drift and the growth of the bound matter.
            let ask = arrived + 123_456.0;
            checkpoints.push(Checkpoint {
                after: index + 1,
                local: ask,
                estimate: estimator.estimate().map(|estimate| Estimate {
                    relay: estimate.relay_micros_at(local(ask)),
                    drift_ppm: estimate.drift_ppm(),
                    error: f64::from(estimate.error_micros(local(ask))),
                }),
                next_probe: micros(estimator.next_probe_at(local(arrived))),
            });
        }
    }
    checkpoints
}

fn make() -> Vectors {
    let jammed = Way { least: 0.2, ..BUSY };
    let scenarios = [
        (Scenario::symmetric("lan", LAN), 20.0),
        (
            Scenario {
                drift_ppm: -200.0,
                ..Scenario::symmetric("wifi, longer than the window", WIFI)
            },
            80.0,
        ),
        (
            Scenario {
                jump: Some((10.3, 5e3)),
                ..Scenario::symmetric("wifi, clock set by 5 ms", WIFI)
            },
            15.0,
        ),
        (
            Scenario {
                jump: Some((10.3, -5e3)),
                ..Scenario::symmetric("busy, clock set by -5 ms", BUSY)
            },
            20.0,
        ),
        (
            Scenario {
                jump: Some((10.3, 60e6)),
                ..Scenario::symmetric("wifi, asleep for 60 s", WIFI)
            },
            15.0,
        ),
        (
            Scenario { there: jammed, ..Scenario::symmetric("only the way there is jammed", LAN) },
            20.0,
        ),
    ];
    let sequences = scenarios.map(|(scenario, seconds)| {
        let exchanges: Vec<[f64; 4]> = run(&scenario, 1, seconds)
            .exchanges
            .iter()
            .map(|e| {
                let relay = [e.received, e.replied].map(|time| time.as_micros() as f64);
                [micros(e.sent), relay[0], relay[1], micros(e.arrived)]
            })
            .collect();
        let wanted: Vec<usize> = (1..=exchanges.len())
            .filter(|&n| n < 7 || n % 10 == 0 || n == exchanges.len())
            .collect();
        let checkpoints = replay(&exchanges, &wanted);
        Sequence { name: scenario.name.into(), exchanges, checkpoints }
    });
    Vectors {
        about: [
            "The values that every clock estimator must compute from these exchanges.",
            "exchanges: [sent, received, replied, arrived] in microseconds; local times have fractions.",
            "For each exchange: report to the estimator that its probe was sent (at sent), then the exchange.",
            "checkpoints: after the given number of exchanges, at the local time local, relay time must be",
            "relay and the error bound error; without relay there is no estimate yet. next_probe is the time of",
            "the next probe, as computed at the last arrival.",
            "tolerance_micros applies to times and bounds, tolerance_ppm to drift_ppm.",
        ]
        .map(String::from)
        .into(),
        tolerance_micros: 1.0,
        tolerance_ppm: 0.01,
        sequences: sequences.into(),
    }
}

/// Puts each exchange and checkpoint on a line of its own, so that diffs are readable.
fn lay_out(mut text: String) -> String {
    for (mark, layout) in [
        ("[[", "[\n["),
        ("],[", "],\n["),
        ("},{", "},\n{"),
        ("\"checkpoints\":[{", "\n\"checkpoints\":[\n{"),
        ("\"sequences\":[", "\n\"sequences\":[\n"),
        ("\",\"", "\",\n\""),
    ] {
        text = text.replace(mark, layout);
    }
    text + "\n"
}

#[test]
fn the_estimator_reproduces_the_vectors() {
    if std::env::var_os("DOWNBEAT_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string(&make()).unwrap();
        std::fs::write(file(), lay_out(text)).unwrap();
    }
    let vectors: Vectors = serde_json::from_slice(&std::fs::read(file()).unwrap()).unwrap();
    let same = |a: f64, b: f64| (a - b).abs() <= vectors.tolerance_micros;
    assert!(vectors.sequences.len() >= 5);
    for sequence in &vectors.sequences {
        let wanted: Vec<usize> = sequence.checkpoints.iter().map(|c| c.after).collect();
        let found = replay(&sequence.exchanges, &wanted);
        assert_eq!(found.len(), sequence.checkpoints.len(), "{}", sequence.name);
        for (found, expected) in found.iter().zip(&sequence.checkpoints) {
            let at = format!("{}, after {}", sequence.name, expected.after);
            assert!(same(found.next_probe, expected.next_probe), "{at}: next probe");
            match (&found.estimate, &expected.estimate) {
                (None, None) => {}
                (Some(found), Some(expected)) => {
                    assert!(same(found.relay, expected.relay), "{at}: relay time");
                    assert!(same(found.error, expected.error), "{at}: error bound");
                    let apart = (found.drift_ppm - expected.drift_ppm).abs();
                    assert!(apart <= vectors.tolerance_ppm, "{at}: drift");
                }
                _ => panic!("{at}: an estimate where none is expected, or none where one is"),
            }
        }
    }
}
