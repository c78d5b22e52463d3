//! The seconds from scanning the code to a sound: a phone that has never been here opens the page, a finger
//! touches it, and it joins a sound that is playing.
//!
//! ```text
//! bench-join [RUNS]
//! ```
//!
//! The phone is Chromium with an empty cache and a slowed processor, behind a proxy with the delays of a wireless
//! network, because Chromium's own emulation of one hangs now and then; the finger touches as soon as the page can be touched. The sound is recorded, on both rigs of the lab: an
//! idle null sink of `PulseAudio` has rendered two seconds ahead when the first stream opens, and a card has not.

use std::time::Instant;

use anyhow::{Context, Result};
use downbeat_protocol::{ClientKind, ClientToRelay, TriggerRequest};
use downbeat_tests::{
    browser::Browser,
    client::V1Client,
    figures::quantile,
    lab::{Lab, Rig},
    network::Network,
    process::suppress_transcripts,
    recorder::RATE,
    relay::Relay,
};

/// A sound of the embedded bank that lasts longer than a join takes.
const LONG_SOUND: &str = "texture";

/// How many times slower than this machine's processor: itself, a good phone, and an old one.
const SLOWER: [u32; 3] = [1, 4, 6];

const NETWORK: &str = "wifi";

fn main() -> Result<()> {
    suppress_transcripts();
    let runs = match std::env::args().nth(1) {
        Some(runs) => runs.parse().context("the number of runs")?,
        None => 5,
    };
    println!(
        "seconds from scanning the code to the touch and to a sound, over {runs} runs, on {NETWORK}"
    );
    for (rig, name) in [(Rig::Fine, "card"), (Rig::Stock, "idle null sink")] {
        let lab = Lab::open_on(rig, 1)?;
        for slower in SLOWER {
            let joins = (0..runs).map(|_| join(&lab, slower)).collect::<Result<Vec<_>>>()?;
            let of = |share, value: fn(&Join) -> f64| {
                let values: Vec<_> = joins.iter().map(value).collect();
                quantile(&values, share).unwrap_or(f64::NAN)
            };
            println!(
                "{name}, processor {slower} times slower: touch {:.1} median; sound {:.1} median, {:.1} longest; \
                 {:.0} requests, {:.0} KiB",
                of(0.5, |join| join.touched),
                of(0.5, |join| join.sounded),
                of(1.0, |join| join.sounded),
                of(0.5, |join| join.requests),
                of(0.5, |join| join.bytes / 1024.0)
            );
        }
    }
    Ok(())
}

/// What a join took: the seconds until it was touched and until it sounded, and what was requested.
struct Join {
    touched: f64,
    sounded: f64,
    requests: f64,
    bytes: f64,
}

fn join(lab: &Lab, slower: u32) -> Result<Join> {
    let relay = Relay::start()?;
    let browser = Browser::open(|program| lab.command_on(0, program), 400, 860)?;
    browser.emulate_phone(390, 844)?;
    browser.throttle(slower)?;
    let network: Network = NETWORK.parse()?;
    let address = network.before(relay.address())?;
    let mut client = V1Client::connect(&relay.ws_url(), "teacher", ClientKind::Remote)?;
    let sound = Some(LONG_SOUND.to_owned());
    client.send(&ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() }))?;

    let take = lab.record();
    let scanned = Instant::now();
    browser.go(&format!("http://{address}"))?;
    browser.click("#start")?;
    let touched = scanned.elapsed().as_secs_f64();
    take.wait_for_onsets(&[0], 1)?;
    let sounded = take.stop()?.onsets(0)[0] as f64 / RATE as f64;
    let requests = "performance.getEntriesByType('resource')";
    let count = browser.run(&format!("return {requests}.length"))?;
    let bytes = browser.run(&format!(
        "return {requests}.reduce((sum, request) => sum + request.transferSize, 0)"
    ))?;
    let number = |value: serde_json::Value| value.as_f64().context("a number");
    Ok(Join { touched, sounded, requests: number(count)?, bytes: number(bytes)? })
}
