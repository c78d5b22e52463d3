//! What is done alike with every other system: it is given time to settle, pressed, recorded, and
//! measured by the same marks as Downbeat.

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, thread::sleep, time::Duration};

use anyhow::{Context, Result};
use downbeat_samples::EMBEDDED;
use downbeat_tests::{claims::shared_micros, disturbance::Disturbance, lab::Lab};

use crate::{
    Settings, press,
    room::{self, Bang, SETTLED},
    table::Row,
};

/// How long a system has before the late machines come: none that is measured corrects much after that.
const SETTLING: Duration = Duration::from_secs(25);

/// From one press to the next at least, in seconds: more than the longest time from a press to its
/// sound.
const GAP_SECONDS: f64 = 1.5;

/// Waits until a system has settled, lets a quarter of its machines come `late`, has it pressed through
/// who listens at `told`, and measures it; then again while other programs disturb it. The presser is on
/// the card after the machines'.
pub fn measure(
    system: &str,
    settings: &Settings,
    lab: &Lab,
    told: SocketAddr,
    late: impl FnOnce() -> Result<()>,
) -> Result<Vec<Row>> {
    sleep(SETTLING);
    late()?;
    sleep(SETTLED);
    let mut rows = vec![bang(system, settings, lab, told)?];
    let disturbance = Disturbance::start(lab)?;
    rows.push(bang(&format!("{system}, disturbed"), settings, lab, told)?);
    drop(disturbance);
    Ok(rows)
}

fn bang(system: &str, settings: &Settings, lab: &Lab, told: SocketAddr) -> Result<Row> {
    let (since, take) = (shared_micros(), lab.record());
    let told = press::Told::Listener(told);
    let presser = press::start(lab, settings.players, told, settings.bangs, GAP_SECONDS)?;
    press::wait_for(&presser, settings.bangs)?;
    sleep(Duration::from_secs_f64(GAP_SECONDS));
    let recording = take.stop()?;
    let marked = press::presses(&presser);
    let bangs = Bang::all(&recording, &marked, since, GAP_SECONDS, settings.players)?;
    let mut row = room::row(system, marked.len(), &bangs, &HashMap::new());
    row.notes.push(room::server_note(&recording));
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
