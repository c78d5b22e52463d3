//! What is done alike with every other system: it is given time to settle, pressed, recorded, and
//! measured by the same marks as Downbeat.

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, thread::sleep, time::Duration};

use anyhow::{Context, Result};
use downbeat_samples::EMBEDDED;
use downbeat_tests::lab::Lab;

use crate::{
    Settings, press,
    room::{self, Bang},
    table::Row,
};

/// How long a system has from its last machine's being there: none that is measured corrects much
/// after that.
pub const SETTLING: Duration = Duration::from_secs(25);

/// From one press to the next at least, in seconds: more than the longest time from a press to its
/// sound.
const GAP_SECONDS: f64 = 1.5;

/// Waits until a system of `settings.players` machines has settled, has it pressed through who
/// listens at `told`, and measures it. The presser is on the card after the machines'.
pub fn measure(system: &str, settings: &Settings, lab: &Lab, told: SocketAddr) -> Result<Row> {
    sleep(SETTLING);
    let (since, take) = (crate::shared_micros(), lab.record());
    let told = press::Told::Listener(told);
    let presser = press::start(lab, settings.players, told, settings.bangs, GAP_SECONDS)?;
    press::wait_for(&presser, settings.bangs)?;
    sleep(Duration::from_secs_f64(GAP_SECONDS));
    let recording = take.stop()?;
    let marked = press::presses(&presser);
    let bangs = Bang::all(&recording, &marked, since, GAP_SECONDS, settings.players)?;
    let mut row = room::row(system, marked.len(), &bangs, &HashMap::new());
    row.notes.push(room::server_note(&recording));
    let seconds = SETTLING.as_secs();
    row.notes.push(format!("pressed from {seconds} s after its last machine was there"));
    Ok(row)
}

/// The folder that is home to all programs of a lab, and gone with it.
pub fn home(lab: &Lab) -> Result<PathBuf> {
    let command = lab.command("x");
    let home = command.get_envs().find(|(name, _)| *name == "HOME").and_then(|(_, value)| value);
    Ok(home.context("the lab has a home")?.into())
}

/// The sound that is banged: the default one of Downbeat's bank, as a file.
pub fn click() -> Result<&'static [u8]> {
    Ok(EMBEDDED.first().context("the bank is empty")?.wav)
}
