//! Many connections held for a long time, half of each wire, and one bang a second: whether one is
//! lost, and whether the relay's memory stays as it was.

use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use downbeat_tests::{
    load::{
        cost::{memory_bytes, processor_nanos},
        crowd::{Crowd, Heard, Wire},
        figures::quantile,
        server::Server,
    },
    relay::relay_command,
};

/// Between two bangs.
const EVERY: Duration = Duration::from_secs(1);

/// How long a bang may take to everyone before those who have not heard it count as losses.
const PATIENCE: Duration = Duration::from_secs(10);

/// Memory is flat if it ends not more than this share above where it had settled.
const FLAT: f64 = 0.02;

/// One address has some 28,000 ports for those who connect from it.
const MOST: usize = 25_000;

/// Holds `count` connections for `seconds`; an error if a bang was lost or the memory grew.
pub fn hold(count: usize, seconds: u64) -> Result<()> {
    ensure!((2..=MOST).contains(&count), "from 2 to {MOST} can be held from one address");
    let mut command = relay_command()?;
    command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
    let relay = Server::start(command)?;
    let empty = memory_bytes(relay.id())?;
    let mut crowds = [
        Crowd::join(relay.address(), Wire::Tutorial, count / 2)?,
        Crowd::join(relay.address(), Wire::V1, count - count / 2)?,
    ];
    // The roster follows the last arrival after a millisecond a client.
    let quiet = Duration::from_millis(1000 + count as u64);
    for crowd in &mut crowds {
        while crowd.hear(quiet, |_, _, _| ControlFlow::Break(()))? {}
    }
    println!("{count} connections are held for {seconds} s, one bang a second");

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
        let whose = bangs as usize % 2;
        let client = bangs as usize % crowds[whose].len();
        crowds[whose].bang(client, 1)?;
        bangs += 1;
        let mut heard_at = sent;
        for crowd in &mut crowds {
            let mut missing = crowd.len() as u64;
            crowd.hear(PATIENCE, |_, heard, at| {
                match heard {
                    Heard::Trigger => {
                        delivered += 1;
                        missing = missing.saturating_sub(1);
                        heard_at = heard_at.max(at);
                    }
                    Heard::Other | Heard::Close(_) => {}
                    Heard::End => dropped += 1,
                }
                if missing == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            lost += missing;
        }
        last_millis.push((heard_at - sent).as_secs_f64() * 1e3);
        thread::sleep(EVERY.saturating_sub(sent.elapsed()));
    }
    let used = (processor_nanos(relay.id())? - used) as f64;
    let ended = memory_bytes(relay.id())?;
    // It has settled after a tenth of its time.
    let settled = memory.get(1).copied().unwrap_or(ended);
    println!("bangs sent           {bangs}");
    println!("deliveries           {delivered}");
    println!("lost                 {lost}");
    println!("dropped              {dropped}");
    let millis = |share| quantile(&last_millis, share);
    println!(
        "last client          p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        millis(0.5),
        millis(0.99),
        millis(1.0)
    );
    println!("CPU per delivery     {:.2} us", used / 1e3 / delivered.max(1) as f64);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "memory of the relay  {:.2} MiB empty, {:.2} settled, {:.2} at the end",
        mib(empty),
        mib(settled),
        mib(ended)
    );
    ensure!(lost == 0 && dropped == 0, "it did not hold");
    let grown = ended as f64 / settled as f64 - 1.0;
    ensure!(grown <= FLAT, "its memory grew by {:.1} %", grown * 100.0);
    println!("It held.");
    Ok(())
}
