//! Measures how far apart machines sound, and how soon after the press: Downbeat's players on
//! several networks, and other systems in the same lab.
//!
//! Settings are environment variables, which `make bench-sync` passes on:
//!
//! - `PLAYERS`: number of machines (8);
//! - `BANGS`: number of bangs per measurement (60);
//! - `NETWORK`: one or more of `loopback`, `lan`, `wifi`, `busy`; the last three also with `-up` or
//!   `-down` for one direction only (`loopback wifi`);
//! - `RIG`: the kinds of cards: `stock` (PulseAudio's null sink with default settings), `pipewire`,
//!   `fine` (a card with an accurate clock) (`stock fine`);
//! - `PEERS`: other systems to measure: `page`, `soundworks`, `snapcast`, or none.
//!
//! A quarter of the machines join late. On the loopback each system is also measured while other
//! programs open and close streams and keep the processors busy. Other networks and the page are
//! measured on the fine rig, so that differences are theirs.
//!
//! The table goes to stdout, progress to stderr.

mod latecomer;
mod page;
mod peer;
mod press;
mod room;
mod snapcast;
mod soundworks;
mod table;
mod variable;

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use downbeat_tests::{
    lab::Rig,
    network::Network,
    process::suppress_transcripts,
    tools::{run, tool},
};

use crate::table::Row;

/// What to measure.
#[derive(Debug)]
struct Settings {
    players: usize,
    bangs: usize,
    networks: Vec<Network>,
    rigs: Vec<Rig>,
    peers: Vec<String>,
}

impl Settings {
    fn from_environment() -> Result<Self> {
        let list = |name, default: &str| -> Vec<String> {
            let text = std::env::var(name).unwrap_or_else(|_| default.to_owned());
            text.split([' ', ',']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let networks = list("NETWORK", "loopback wifi");
        let rigs = list("RIG", "stock fine");
        Ok(Self {
            players: number("PLAYERS", 8, 2)?,
            bangs: number("BANGS", 60, 1)?,
            networks: networks.iter().map(|text| text.parse()).collect::<Result<_>>()?,
            rigs: rigs.iter().map(|text| text.parse()).collect::<Result<_>>()?,
            peers: list("PEERS", "page soundworks snapcast"),
        })
    }
}

fn number(name: &str, default: usize, least: usize) -> Result<usize> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    match usize::from_str(&text) {
        Ok(number) if number >= least => Ok(number),
        _ => bail!("{name}={text:?} must be a number of at least {least}"),
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == press::COMMAND) {
        return press::main(&arguments[1..]);
    }
    suppress_transcripts();
    let settings = Settings::from_environment()?;
    println!("{} players, {} bangs; load before: {}", settings.players, settings.bangs, load()?);
    println!("{}", lab()?);
    let mut rows = Vec::new();
    for network in &settings.networks {
        let rigs = settings.rigs.iter().filter(|rig| **rig == Rig::Fine || network.is_loopback());
        for rig in rigs {
            let measured = room::measure(&settings, *rig, *network);
            rows.extend(measured.with_context(|| format!("{rig}, {network}"))?);
        }
    }
    for peer in &settings.peers {
        for rig in &settings.rigs {
            let measured = match peer.as_str() {
                "page" if *rig == Rig::Fine => page::measure(&settings),
                "page" => continue,
                "soundworks" => soundworks::measure(&settings, *rig),
                "snapcast" => snapcast::measure(&settings, *rig),
                other => {
                    bail!("unknown PEERS={other:?}: the systems are page, soundworks and snapcast")
                }
            };
            // A system that is not installed does not fail the others.
            rows.extend(measured.unwrap_or_else(|error| vec![Row::missing(peer, &error)]));
        }
    }
    print!("{}", table::print(&rows));
    println!("load after: {}", load()?);
    Ok(())
}

/// Describes the lab in one line.
fn lab() -> Result<String> {
    let cores = std::thread::available_parallelism().context("counting the cores")?;
    let server = run(std::process::Command::new(tool("pulseaudio")?).arg("--version"))?;
    Ok(format!(
        "the lab: every machine's card is a channel of one sink of 48 kHz; fine: a virtual card that \
         holds 5 ms; stock: a null sink with default settings; both behind {server}; everything \
         shares {cores} cores"
    ))
}

/// The load average of the machine.
fn load() -> Result<String> {
    run(&mut std::process::Command::new("uptime"))
}
