//! A client is registered before its handshake is answered: many clients connect at once, and bangs
//! are sent as soon as some of them have read their 101 responses.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::mpsc,
    thread,
    time::Instant,
};

use anyhow::{Context, Result};
use downbeat_tests::{
    load::crowd::{Wire, handshake, masked},
    process::PATIENCE,
    relay::Relay,
};

/// Clients that connect at once, so that the relay is busy between a response and the registration.
const AT_ONCE: usize = 200;
const ROUNDS: usize = 10;

/// Responses between two bangs.
const BANG_AFTER: usize = 4;

fn receive_trigger(mut stream: &TcpStream) -> Result<()> {
    const OUTPUT: &[u8] = b"\x81\x0etrigger-output";
    let mut received = [0; OUTPUT.len()];
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.read_exact(&mut received)?;
    assert_eq!(received, OUTPUT);
    Ok(())
}

#[test]
fn a_client_that_has_read_its_101_receives_the_next_bang() -> Result<()> {
    let relay = Relay::start_with(&["--log", "error"])?;
    let address = relay.address();
    let mut banger = handshake(address, Wire::Tutorial)?;
    let mut were_there = 0;
    for round in 0..ROUNDS {
        let (answered, answers) = mpsc::channel();
        let come = || {
            let answered = answered.clone();
            move || -> Result<(Instant, TcpStream)> {
                let stream = handshake(address, Wire::Tutorial)?;
                let at = Instant::now();
                // The receiver is dropped only if the test has failed.
                let _ = answered.send(());
                Ok((at, stream))
            }
        };
        let coming: Vec<_> = (0..AT_ONCE).map(|_| thread::spawn(come())).collect();
        let mut bangs = Vec::new();
        for answer in 0..AT_ONCE {
            answers.recv_timeout(PATIENCE).context("not every handshake was answered")?;
            if answer % BANG_AFTER == 0 {
                bangs.push(Instant::now());
                banger.write_all(&masked(0x81, b"trigger-input"))?;
            }
        }
        for _ in &bangs {
            receive_trigger(&banger)?;
        }
        for coming in coming {
            let (at, stream) = match coming.join() {
                Ok(come) => come?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            for _ in bangs.iter().filter(|banged| at < **banged) {
                were_there += 1;
                receive_trigger(&stream)
                    .with_context(|| format!("round {round}: a client missed a bang"))?;
            }
        }
    }
    assert!(
        were_there >= ROUNDS * AT_ONCE / BANG_AFTER,
        "only {were_there} deliveries were checked"
    );
    Ok(())
}
