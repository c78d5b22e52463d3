//! A relay with hundreds of clients, some of which never read: neither the other clients nor the
//! shutdown is delayed.

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

/// Raises the rate limit, so that large, fast bangs can fill the buffers of clients that do not
/// read.
const SETTINGS: [&str; 4] = ["--log", "error", "--messages", "1000000"];

/// Size of a bang's `data` field. A few hundred unread bangs must fill the kernel's buffers.
const LOUD_BYTES: usize = 4000;

/// Permitted increase of the time to the last reading client: far more than a busy machine adds,
/// far less than waiting for a client that does not read.
const MAX_ADDED_MILLIS: f64 = 500.0;

/// Permitted growth of the relay's memory: a queued frame is held once, however many clients it is
/// queued for.
const MAX_GROWTH_BYTES: u64 = 16 << 20;

/// Sends a large bang and waits until the whole crowd has received it. Returns the time to the last
/// client, in milliseconds.
fn loud_bang(crowd: &mut Crowd) -> Result<f64> {
    let bang = format!(r#"{{"type":"trigger","data":"{}"}}"#, "x".repeat(LOUD_BYTES));
    let mut missing = crowd.len();
    let mut ended = 0;
    let sent = Instant::now();
    crowd.send(0, bang.as_bytes())?;
    let all = crowd.receive(PATIENCE, |_, received, _| {
        match received {
            Received::Trigger => missing = missing.saturating_sub(1),
            Received::Value | Received::Other => {}
            Received::Close(_) | Received::End => ended += 1,
        }
        if missing == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    ensure!(
        all && ended == 0,
        "{missing} reading clients missed a bang, {ended} were disconnected"
    );
    Ok(sent.elapsed().as_secs_f64() * 1e3)
}

/// Number of clients that the relay has disconnected because they did not read.
fn disconnected(relay: &Relay) -> Result<u64> {
    let health = relay.health()?;
    let count = |reason: &str| health["clients_disconnected"][reason].as_u64().context("a count");
    Ok(count("overflow")? + count("stalled")?)
}

fn wait_until_connected(relay: &Relay, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while relay.health()?["total"] != count {
        ensure!(
            Instant::now() < deadline,
            "only {} clients are connected",
            relay.health()?["total"]
        );
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Bangs until the outbox of a client that does not read is no longer empty. No client is
/// disconnected yet.
fn bang_until_an_outbox_fills(relay: &Relay, loud: &mut Crowd) -> Result<()> {
    let waits = || -> Result<bool> {
        let metrics = get(&format!("http://{}/metrics", relay.address()))?;
        let peak =
            metrics.lines().find_map(|line| line.strip_prefix("downbeat_outbox_peak_bytes "));
        Ok(peak.context("the outboxes' peak")?.parse::<f64>()? > 0.0)
    };
    // The relay samples its outboxes once a second. Until then no outbox may overflow.
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
    let mut non_reading = Crowd::join(relay.address(), Wire::V1, 50)?;
    let mut others = Crowd::join(relay.address(), Wire::V1, 450)?;
    wait_until_connected(&relay, 500)?;

    // First all clients read.
    let mut before = Vec::new();
    for _ in 0..100 {
        before.push(loud_bang(&mut others)?);
        non_reading.receive(Duration::from_millis(1), |_, _, _| ControlFlow::Continue(()))?;
    }
    let memory = memory_bytes(pid)?;

    // Then fifty do not. The kernel's buffers fill, then the relay's outboxes, then the relay
    // disconnects them.
    let (mut meanwhile, mut largest) = (Vec::new(), memory);
    let deadline = Instant::now() + 2 * PATIENCE;
    while disconnected(&relay)? < 50 {
        ensure!(Instant::now() < deadline, "only {} were disconnected", disconnected(&relay)?);
        for _ in 0..20 {
            meanwhile.push(loud_bang(&mut others)?);
        }
        largest = largest.max(memory_bytes(pid)?);
    }
    wait_until_connected(&relay, 450)?;
    for _ in 0..20 {
        loud_bang(&mut others)?;
    }
    assert_eq!(disconnected(&relay)?, 50, "no other client is disconnected");

    let (before, meanwhile) = (quantile(&before, 0.99), quantile(&meanwhile, 0.99));
    println!("p99 of the last delivery: {before:.1} ms before, {meanwhile:.1} ms meanwhile");
    println!("memory: {memory} bytes, at most {largest}");
    assert!(meanwhile < before + MAX_ADDED_MILLIS, "{before:.1} ms became {meanwhile:.1} ms");
    assert!(largest < memory + MAX_GROWTH_BYTES, "{memory} bytes became {largest}");
    Ok(())
}

#[test]
fn a_shutdown_with_a_thousand_clients_closes_them_all_in_time() -> Result<()> {
    allow_open_files(1200)?;
    let mut relay = Relay::start_with(&SETTINGS)?;
    let address = relay.address();
    let non_reading = Crowd::join(address, Wire::V1, 100)?;
    let mut tutorial = Crowd::join(address, Wire::Tutorial, 450)?;
    let mut v1 = Crowd::join(address, Wire::V1, 450)?;
    wait_until_connected(&relay, 1000)?;
    bang_until_an_outbox_fills(&relay, &mut v1)?;
    tutorial.receive(Duration::from_millis(100), |_, _, _| ControlFlow::Continue(()))?;

    let begun = Instant::now();
    relay.process().terminate()?;
    for crowd in [&mut tutorial, &mut v1] {
        let mut codes = vec![None; crowd.len()];
        let mut ended = 0;
        let all = crowd.receive(PATIENCE, |client, received, _| {
            match received {
                Received::Close(code) => codes[client] = Some(code),
                Received::End => ended += 1,
                Received::Trigger | Received::Value | Received::Other => {}
            }
            if ended == codes.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let closed = codes.iter().filter(|code| **code == Some(1001)).count();
        ensure!(
            all && closed == codes.len(),
            "{closed} of {} were sent a close frame, {ended} ended",
            codes.len()
        );
    }
    relay.process().expect_exit(0)?;
    let took = begun.elapsed();
    println!("the shutdown took {took:?}");
    assert!(took < Duration::from_secs(5), "the shutdown took {took:?}");
    assert!(TcpStream::connect(address).is_err(), "connections are refused after the shutdown");
    drop(non_reading);
    Ok(())
}

#[test]
fn closing_clients_with_unread_data_do_not_delay_the_others() -> Result<()> {
    let relay = Relay::start_with(&SETTINGS)?;
    let mut others = Crowd::join(relay.address(), Wire::V1, 10)?;
    let mut non_reading = Crowd::join(relay.address(), Wire::V1, 10)?;
    wait_until_connected(&relay, 20)?;
    bang_until_an_outbox_fills(&relay, &mut others)?;
    for client in 0..non_reading.len() {
        non_reading.send_close(client)?;
    }
    // The other clients are served meanwhile.
    loud_bang(&mut others)?;
    wait_until_connected(&relay, 10)?;
    loud_bang(&mut others)?;
    // A closing client receives everything sent before its close, and nothing after the relay's
    // close frame.
    let (mut answered, mut ended, mut late) = (vec![false; non_reading.len()], 0, 0);
    non_reading.receive(PATIENCE, |client, received, _| {
        match received {
            Received::Trigger | Received::Value | Received::Other => {
                late += usize::from(answered[client]);
            }
            Received::Close(code) => answered[client] = code == 1000,
            Received::End => ended += 1,
        }
        if ended == answered.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    assert_eq!((ended, late), (non_reading.len(), 0));
    assert!(answered.iter().all(|answered| *answered), "{answered:?}");
    assert_eq!(disconnected(&relay)?, 0, "they closed by themselves");
    Ok(())
}
