//! The seconds from scanning the code to a sound: a phone that has never been here opens the page, a finger
//! touches it, and it joins a sound that is playing.
//!
//! ```text
//! bench-join [RUNS]
//! ```
//!
//! The phone is Chromium with an empty cache, a slowed processor and the latency and bandwidth of a busy wireless
//! network; the finger touches as soon as the page can be touched. The sound is recorded.

use std::time::Instant;

use anyhow::{Context, Result};
use downbeat_protocol::{ClientKind, ClientToRelay, TriggerRequest};
use downbeat_tests::{
    browser::Browser,
    client::V1Client,
    figures::quantile,
    lab::{Lab, Rig},
    process::suppress_transcripts,
    recorder::RATE,
    relay::Relay,
};

/// A sound of the embedded bank that lasts longer than a join takes.
const LONG_SOUND: &str = "texture";

/// How many times slower than this machine's processor: itself, a good phone, and an old one.
const SLOWER: [u32; 3] = [1, 4, 6];

const LATENCY_MILLIS: u32 = 10;
const BITS_PER_SECOND: u32 = 20_000_000;

fn main() -> Result<()> {
    suppress_transcripts();
    let runs = match std::env::args().nth(1) {
        Some(runs) => runs.parse().context("the number of runs")?,
        None => 5,
    };
    let lab = Lab::open_on(Rig::Stock, 1)?;
    println!("seconds from scanning the code to a sound, and to the touch, over {runs} runs");
    for slower in SLOWER {
        let times = (0..runs).map(|_| join(&lab, slower)).collect::<Result<Vec<_>>>()?;
        let (sounded, touched): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        let of = |times: &[f64], share| quantile(times, share).unwrap_or(f64::NAN);
        println!(
            "processor {slower} times slower: sound {:.1} median, {:.1} longest; touch {:.1} median",
            of(&sounded, 0.5),
            of(&sounded, 1.0),
            of(&touched, 0.5)
        );
    }
    Ok(())
}

/// The seconds until it sounds, and until it was touched.
fn join(lab: &Lab, slower: u32) -> Result<(f64, f64)> {
    let relay = Relay::start()?;
    let browser = Browser::open(|program| lab.command_on(0, program), 400, 860)?;
    browser.emulate_phone(390, 844)?;
    browser.throttle(slower, LATENCY_MILLIS, BITS_PER_SECOND)?;
    let mut client = V1Client::connect(&relay.ws_url(), "teacher", ClientKind::Remote)?;
    let sound = Some(LONG_SOUND.to_owned());
    client.send(&ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() }))?;

    let take = lab.record();
    let scanned = Instant::now();
    browser.go(&relay.http_url())?;
    browser.click("#start")?;
    let touched = scanned.elapsed().as_secs_f64();
    take.wait_for_onsets(&[0], 1)?;
    let sounded = take.stop()?.onsets(0)[0] as f64 / RATE as f64;
    Ok((sounded, touched))
}
