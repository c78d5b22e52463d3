//! The measurement that other systems share: they settle, are pressed and recorded, and are
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

/// Time before the late machines join. No measured system makes large corrections after it.
const SETTLING: Duration = Duration::from_secs(25);

/// Minimum time between two presses, in seconds: longer than the largest latency from press to
/// sound.
const GAP_SECONDS: f64 = 1.5;

/// Waits until a system has settled, starts a quarter of its machines with `late`, and measures
/// presses that are sent to `target`; then measures again while other programs disturb it. The
/// presser uses the card after the machines'.
pub fn measure(
    system: &str,
    settings: &Settings,
    lab: &Lab,
    target: SocketAddr,
    late: impl FnOnce() -> Result<()>,
) -> Result<Vec<Row>> {
    sleep(SETTLING);
    late()?;
    sleep(SETTLED);
    let mut rows = vec![bang(system, settings, lab, target)?];
    let disturbance = Disturbance::start(lab)?;
    rows.push(bang(&format!("{system}, disturbed"), settings, lab, target)?);
    drop(disturbance);
    Ok(rows)
}

fn bang(system: &str, settings: &Settings, lab: &Lab, target: SocketAddr) -> Result<Row> {
    let (since, take) = (shared_micros(), lab.record());
    let target = press::Target::Listener(target);
    let presser = press::start(lab, settings.players, target, settings.bangs, GAP_SECONDS)?;
    press::wait_for(&presser, settings.bangs)?;
    sleep(Duration::from_secs_f64(GAP_SECONDS));
    let recording = take.stop()?;
    let marked = press::presses(&presser);
    let bangs = Bang::all(&recording, &marked, since, GAP_SECONDS, settings.players)?;
    let mut row = room::row(system, marked.len(), &bangs, &HashMap::new());
    row.notes.push(room::server_note(&recording));
    Ok(row)
}

/// The home folder of a lab's programs. It is deleted with the lab.
pub fn home(lab: &Lab) -> Result<PathBuf> {
    let command = lab.command("x");
    let home = command.get_envs().find(|(name, _)| *name == "HOME").and_then(|(_, value)| value);
    Ok(home.context("the lab has a home")?.into())
}

/// The file of the default sound of Downbeat's bank.
pub fn click() -> Result<&'static [u8]> {
    Ok(EMBEDDED.first().context("the bank is empty")?.wav)
}
