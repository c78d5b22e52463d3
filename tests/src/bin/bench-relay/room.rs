//! The cost of a room in which nothing happens: players that report, and one client that watches them.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::Result;
use downbeat_tests::{
    load::{
        cost::{memory_bytes, processor_nanos},
        crowd::{Crowd, Wire},
        server::Server,
    },
    relay::relay_command,
};

/// How often players report.
const REPORTS: Duration = Duration::from_secs(2);

/// How long it is measured, after as long again in which the room settles.
const MEASURED: Duration = Duration::from_secs(20);

/// Measures a room of `count` players.
pub fn room(count: usize) -> Result<()> {
    let mut command = relay_command()?;
    command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
    let relay = Server::start(command)?;
    let empty = memory_bytes(relay.id())?;
    let mut players = Crowd::join(relay.address(), Wire::V1, count)?;
    let mut watcher = Crowd::join(relay.address(), Wire::V1, 1)?;
    watcher.send(0, br#"{"type":"watch","room":true}"#)?;
    let mut random = fastrand::Rng::with_seed(1);
    stay(&mut players, &mut watcher, &mut random)?;

    let received = (players.received_bytes(), watcher.received_bytes());
    let (used, begun) = (processor_nanos(relay.id())?, Instant::now());
    stay(&mut players, &mut watcher, &mut random)?;
    let seconds = begun.elapsed().as_secs_f64();
    let used = (processor_nanos(relay.id())? - used) as f64 / 1e9 / seconds;
    let rate = |before: u64, now: u64| (now - before) as f64 / seconds;
    let kib = memory_bytes(relay.id())?.saturating_sub(empty) as f64 / 1024.0;
    println!(
        "an idle room of {count} players that report every {} s: the relay sends {:.1} bytes a second to \
         each of them, {:.0} to one that watches; it takes {:.2} % of a core, and {:.1} KiB for each",
        REPORTS.as_secs(),
        rate(received.0, players.received_bytes()) / count as f64,
        rate(received.1, watcher.received_bytes()),
        used * 100.0,
        kib / count as f64
    );
    Ok(())
}

/// Lets the players report, each at its own time, and reads what all are sent.
fn stay(players: &mut Crowd, watcher: &mut Crowd, random: &mut fastrand::Rng) -> Result<()> {
    let begun = Instant::now();
    let interval = REPORTS / u32::try_from(players.len())?;
    let mut sent = 0;
    while begun.elapsed() < MEASURED {
        while interval * sent < begun.elapsed() {
            // What an idle player reports varies a little.
            let report = format!(
                r#"{{"type":"report","lead_micros":{},"clock_error_micros":{},"latency_micros":{},"triggers":3,"late":0,"lateness_micros":0,"xruns":0,"ready":6,"output":"HDA Intel PCH","volume_db":-6.0}}"#,
                random.u32(24_000..26_000),
                random.u32(20..60),
                random.u32(10_300..10_500)
            );
            players.send(sent as usize % players.len(), report.as_bytes())?;
            sent += 1;
        }
        players.receive(Duration::from_millis(1), |_, _, _| ControlFlow::Continue(()))?;
        watcher.receive(Duration::from_micros(100), |_, _, _| ControlFlow::Continue(()))?;
    }
    Ok(())
}
