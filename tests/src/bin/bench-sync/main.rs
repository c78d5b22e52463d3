//! How far apart machines sound, and how soon after the press: Downbeat's own players on several
//! networks, and what else there is, all in one lab.
//!
//! Settings are variables of the environment, as `make bench-sync` passes them on:
//!
//! - `PLAYERS`: how many machines (8);
//! - `BANGS`: how many bangs each room hears (60);
//! - `NETWORK`: one or more of `loopback`, `lan`, `wifi`, `busy`, the last three also with `-up` or
//!   `-down` for one way only (`loopback wifi`);
//! - `RIG`: what the cards are made of: `stock` (PulseAudio's null sink as it comes), `pipewire`, `fine` (a
//!   card that keeps time well) (`stock fine`);
//! - `PEERS`: what else to measure beside them: `page`, `soundworks`, `snapcast`, or none.
//!
//! A quarter of the machines come late. On a loopback each system is also measured while other programs
//! open and close streams and keep the processors busy. Networks other than the loopback, and the page,
//! are measured on the fine rig, where what differs is theirs.
//!
//! It prints one table on stdout, and what it is doing on stderr.

mod latecomer;
mod page;
mod peer;
mod press;
mod room;
mod snapcast;
mod soundworks;
mod table;

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use downbeat_tests::{
    lab::Rig,
    network::Network,
    process::suppress_transcripts,
    tools::{run, tool},
};

use crate::table::Row;

/// What is to be measured.
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
        let words = |name, default: &str| -> Vec<String> {
            let text = std::env::var(name).unwrap_or_else(|_| default.to_owned());
            text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let networks = words("NETWORK", "loopback wifi");
        let rigs = words("RIG", "stock fine");
        Ok(Self {
            players: number("PLAYERS", 8, 2)?,
            bangs: number("BANGS", 60, 1)?,
            networks: networks.iter().map(|word| word.parse()).collect::<Result<_>>()?,
            rigs: rigs.iter().map(|word| word.parse()).collect::<Result<_>>()?,
            peers: words("PEERS", "page soundworks snapcast"),
        })
    }
}

fn number(name: &str, default: usize, least: usize) -> Result<usize> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    match usize::from_str(&text) {
        Ok(number) if number >= least => Ok(number),
        _ => bail!("{name}={text:?} must be a number from {least} on"),
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == press::COMMAND) {
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
                other => bail!("PEERS={other:?}: there are page, soundworks and snapcast"),
            };
            // What cannot be installed here is no failure of what can.
            rows.extend(measured.unwrap_or_else(|error| vec![Row::missing(peer, &error)]));
        }
    }
    print!("{}", table::print(&rows));
    println!("load after: {}", load()?);
    Ok(())
}

/// What all of this runs in, as a line.
fn lab() -> Result<String> {
    let cores = std::thread::available_parallelism().context("how many cores there are")?;
    let server = run(std::process::Command::new(tool("pulseaudio")?).arg("--version"))?;
    Ok(format!(
        "the lab: every machine's card is a channel of one sink of 48 kHz; fine: a virtual card that \
         holds 5 ms; stock: a null sink with default settings; both behind {server}; everything \
         shares {cores} cores"
    ))
}

/// How busy the machine is with other things than this.
fn load() -> Result<String> {
    run(&mut std::process::Command::new("uptime"))
}
