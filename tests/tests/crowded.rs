//! A relay with hundreds of clients, some of which never read: the others are not delayed, and the shutdown
//! is not either.

use std::{
    net::TcpStream,
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_tests::{
    load::{
        cost::{allow_open_files, memory_bytes},
        crowd::{Crowd, Received, Wire},
        figures::quantile,
    },
    process::PATIENCE,
    relay::Relay,
    tools::get,
};

/// Bangs as large and as fast as it takes to fill what is not read; by default a relay does not let one
/// client do that to others.
const SETTINGS: [&str; 4] = ["--log", "error", "--messages", "1000000"];

/// Free data of a bang: what is not read must fill the kernel's buffers in some hundred of them.
const LOUD_BYTES: usize = 4000;

/// How much longer than before a bang may take to the last of those who read: far more than a busy
/// machine makes of it, far less than to wait for one that does not read.
const NOTICED_MILLIS: f64 = 500.0;

/// How much larger the relay may become: each waiting frame is held once, however many wait for it.
const LARGER_BYTES: u64 = 16 << 20;

/// Someone says a bang and everyone of `crowd` hears it. Returns when the last did, in ms.
fn loud_bang(crowd: &mut Crowd) -> Result<f64> {
    let bang = format!(r#"{{"type":"trigger","data":"{}"}}"#, "x".repeat(LOUD_BYTES));
    let mut missing = crowd.len();
    let mut ended = 0;
    let said = Instant::now();
    crowd.send(0, bang.as_bytes())?;
    let all = crowd.receive(PATIENCE, |_, received, _| {
        match received {
            Received::Trigger => missing = missing.saturating_sub(1),
            Received::Other => {}
            Received::Close(_) | Received::End => ended += 1,
        }
        if missing == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    ensure!(all && ended == 0, "{missing} of those who read did not hear a bang, {ended} left");
    Ok(said.elapsed().as_secs_f64() * 1e3)
}

/// How many clients the relay has disconnected because they did not read.
fn disconnected(relay: &Relay) -> Result<u64> {
    let health = relay.health()?;
    let count = |reason: &str| health["clients_disconnected"][reason].as_u64().context("a count");
    Ok(count("overflow")? + count("stalled")?)
}

fn wait_until_here(relay: &Relay, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while relay.health()?["total"] != count {
        ensure!(Instant::now() < deadline, "not everyone came: {}", relay.health()?["total"]);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Bangs until more waits for one who does not read than the kernel takes, and nobody is cut off yet.
fn until_something_waits(relay: &Relay, loud: &mut Crowd) -> Result<()> {
    let waits = || -> Result<bool> {
        let metrics = get(&format!("http://{}/metrics", relay.address()))?;
        let peak =
            metrics.lines().find_map(|line| line.strip_prefix("downbeat_outbox_peak_bytes "));
        Ok(peak.context("the outboxes' peak")?.parse::<f64>()? > 0.0)
    };
    // The relay looks once a second, and until then no more must come than it holds for one.
    while !waits()? {
        loud_bang(loud)?;
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[test]
fn fifty_of_five_hundred_that_stop_reading_are_disconnected_without_delaying_the_others()
-> Result<()> {
    allow_open_files(600)?;
    let mut relay = Relay::start_with(&SETTINGS)?;
    let pid = relay.process().id();
    let mut deaf = Crowd::join(relay.address(), Wire::V1, 50)?;
    let mut others = Crowd::join(relay.address(), Wire::V1, 450)?;
    wait_until_here(&relay, 500)?;

    // First everyone reads.
    let mut before = Vec::new();
    for _ in 0..100 {
        before.push(loud_bang(&mut others)?);
        deaf.receive(Duration::from_millis(1), |_, _, _| ControlFlow::Continue(()))?;
    }
    let memory = memory_bytes(pid)?;

    // Then fifty do not. The kernel holds some of it for them, then the relay does, then it lets go.
    let (mut meanwhile, mut largest) = (Vec::new(), memory);
    let deadline = Instant::now() + 2 * PATIENCE;
    while disconnected(&relay)? < 50 {
        ensure!(Instant::now() < deadline, "only {} were disconnected", disconnected(&relay)?);
        for _ in 0..20 {
            meanwhile.push(loud_bang(&mut others)?);
        }
        largest = largest.max(memory_bytes(pid)?);
    }
    wait_until_here(&relay, 450)?;
    for _ in 0..20 {
        loud_bang(&mut others)?;
    }
    assert_eq!(disconnected(&relay)?, 50, "nobody else was");

    let (before, meanwhile) = (quantile(&before, 0.99), quantile(&meanwhile, 0.99));
    println!("p99 of the last: {before:.1} ms, then {meanwhile:.1} ms");
    println!("memory: {memory} bytes, at most {largest}");
    assert!(meanwhile < before + NOTICED_MILLIS, "{before:.1} ms became {meanwhile:.1} ms");
    assert!(largest < memory + LARGER_BYTES, "{memory} bytes became {largest}");
    Ok(())
}

#[test]
fn a_thousand_clients_are_told_of_the_end_and_it_comes_in_time() -> Result<()> {
    allow_open_files(1200)?;
    let mut relay = Relay::start_with(&SETTINGS)?;
    let address = relay.address();
    let deaf = Crowd::join(address, Wire::V1, 100)?;
    let mut tutorial = Crowd::join(address, Wire::Tutorial, 450)?;
    let mut v1 = Crowd::join(address, Wire::V1, 450)?;
    wait_until_here(&relay, 1000)?;
    until_something_waits(&relay, &mut v1)?;
    tutorial.receive(Duration::from_millis(100), |_, _, _| ControlFlow::Continue(()))?;

    let told = Instant::now();
    relay.process().terminate()?;
    for crowd in [&mut tutorial, &mut v1] {
        let mut codes = vec![None; crowd.len()];
        let mut ended = 0;
        let all = crowd.receive(PATIENCE, |client, received, _| {
            match received {
                Received::Close(code) => codes[client] = Some(code),
                Received::End => ended += 1,
                Received::Trigger | Received::Other => {}
            }
            if ended == codes.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let told = codes.iter().filter(|code| **code == Some(1001)).count();
        ensure!(all && told == codes.len(), "{told} of {} were told, {ended} ended", codes.len());
    }
    relay.process().expect_exit(0)?;
    let took = told.elapsed();
    println!("it took {took:?}");
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert!(TcpStream::connect(address).is_err(), "nobody is let in after the end");
    drop(deaf);
    Ok(())
}

#[test]
fn some_that_say_goodbye_without_having_read_hold_up_nobody() -> Result<()> {
    let relay = Relay::start_with(&SETTINGS)?;
    let mut others = Crowd::join(relay.address(), Wire::V1, 10)?;
    let mut deaf = Crowd::join(relay.address(), Wire::V1, 10)?;
    wait_until_here(&relay, 20)?;
    until_something_waits(&relay, &mut others)?;
    for client in 0..deaf.len() {
        deaf.send_close(client)?;
    }
    // Whoever stays is served meanwhile.
    loud_bang(&mut others)?;
    wait_until_here(&relay, 10)?;
    loud_bang(&mut others)?;
    // Those who go are told what was said before, and nothing after the answer to their goodbye.
    let (mut answered, mut ended, mut late) = (vec![false; deaf.len()], 0, 0);
    deaf.receive(PATIENCE, |client, received, _| {
        match received {
            Received::Trigger | Received::Other => late += usize::from(answered[client]),
            Received::Close(code) => answered[client] = code == 1000,
            Received::End => ended += 1,
        }
        if ended == answered.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    assert_eq!((ended, late), (deaf.len(), 0));
    assert!(answered.iter().all(|answered| *answered), "{answered:?}");
    assert_eq!(disconnected(&relay)?, 0, "they went by themselves");
    Ok(())
}
