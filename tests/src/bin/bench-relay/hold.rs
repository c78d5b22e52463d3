//! Holds many connections for a long time, half on each wire, with one bang a second. Fails if a
//! delivery is lost or the relay's memory grows.

use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use downbeat_tests::{
    load::{
        cost::{memory_bytes, processor_nanos},
        crowd::{Crowd, Received, Wire},
        figures::quantile,
        server::Server,
    },
    relay::relay_command,
};

/// Time between two bangs.
const INTERVAL: Duration = Duration::from_secs(1);

/// Deadline for a bang to reach everyone. Deliveries outstanding after it count as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest growth of the memory over its settled value, as a share.
const MAX_GROWTH: f64 = 0.02;

/// One client address has some 28,000 ephemeral ports.
const MAX_CONNECTIONS: usize = 25_000;

/// Holds `count` connections for `seconds`; fails if a delivery was lost or the memory grew.
pub fn hold(count: usize, seconds: u64) -> Result<()> {
    ensure!(
        (2..=MAX_CONNECTIONS).contains(&count),
        "2 to {MAX_CONNECTIONS} connections can be held from one address"
    );
    let mut command = relay_command()?;
    command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
    let relay = Server::start(command)?;
    let empty = memory_bytes(relay.id())?;
    let mut crowds = [
        Crowd::join(relay.address(), Wire::Tutorial, count / 2)?,
        Crowd::join(relay.address(), Wire::V1, count - count / 2)?,
    ];
    // The relay sends the roster up to a millisecond per client after the last arrival.
    let quiet = Duration::from_millis(1000 + count as u64);
    for crowd in &mut crowds {
        while crowd.receive(quiet, |_, _, _| ControlFlow::Break(()))? {}
    }
    println!("holding {count} connections for {seconds} s, one bang a second");

    let begun = Instant::now();
    let (mut bangs, mut delivered, mut lost, mut dropped) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut last_millis = Vec::new();
    let mut memory = Vec::new();
    let used = processor_nanos(relay.id())?;
    while begun.elapsed() < Duration::from_secs(seconds) {
        if memory.len() as u64 * seconds / 10 <= begun.elapsed().as_secs() {
            let now = memory_bytes(relay.id())?;
            let kib = now.saturating_sub(empty) as f64 / 1024.0 / count as f64;
            println!(
                "{:5} s: {:.2} MiB, {kib:.2} KiB a connection; {bangs} bangs, {delivered} \
                 deliveries, {lost} lost",
                begun.elapsed().as_secs(),
                now as f64 / f64::from(1 << 20)
            );
            memory.push(now);
        }
        let sent = Instant::now();
        let wire = bangs as usize % 2;
        let client = bangs as usize % crowds[wire].len();
        crowds[wire].bang(client, 1)?;
        bangs += 1;
        let mut last_at = sent;
        for crowd in &mut crowds {
            let mut missing = crowd.len() as u64;
            crowd.receive(PATIENCE, |_, received, at| {
                match received {
                    Received::Trigger => {
                        delivered += 1;
                        missing = missing.saturating_sub(1);
                        last_at = last_at.max(at);
                    }
                    Received::Value | Received::Other | Received::Close(_) => {}
                    Received::End => dropped += 1,
                }
                if missing == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            lost += missing;
        }
        last_millis.push((last_at - sent).as_secs_f64() * 1e3);
        thread::sleep(INTERVAL.saturating_sub(sent.elapsed()));
    }
    let used = (processor_nanos(relay.id())? - used) as f64;
    let ended = memory_bytes(relay.id())?;
    // The memory counts as settled after a tenth of the time.
    let settled = memory.get(1).copied().unwrap_or(ended);
    println!("bangs sent           {bangs}");
    println!("deliveries           {delivered}");
    println!("lost                 {lost}");
    println!("disconnected         {dropped}");
    let millis = |share| quantile(&last_millis, share);
    println!(
        "last delivery        p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        millis(0.5),
        millis(0.99),
        millis(1.0)
    );
    println!("CPU per delivery     {:.2} us", used / 1e3 / delivered.max(1) as f64);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "memory               {:.2} MiB empty, {:.2} settled, {:.2} at the end",
        mib(empty),
        mib(settled),
        mib(ended)
    );
    ensure!(
        lost == 0 && dropped == 0,
        "{lost} deliveries were lost and {dropped} clients disconnected"
    );
    let grown = ended as f64 / settled as f64 - 1.0;
    ensure!(grown <= MAX_GROWTH, "the relay's memory grew by {:.1} %", grown * 100.0);
    println!("PASS");
    Ok(())
}
