//! Waits until all players of a room are ready.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use downbeat_protocol::{
    ClientKind, ClientToRelay, RelayToClient, Roster, StopRequest, TriggerRequest,
};

use crate::{client::V1Client, lab::Lab, process::PATIENCE, relay::Relay};

/// A sound of the embedded bank, long enough for a player to join it once it is ready.
const LONG_SOUND: &str = "texture";

/// Threshold of silence: -80 dBFS.
const SILENCE: f32 = 1e-4;

/// Required duration of silence.
const SILENT_FOR: Duration = Duration::from_millis(250);

/// Waits until the machines of `channels` sound, every player has reported the lead it needs, and
/// the relay applies it. A short sound that is banged earlier may be over before a player can start
/// it; one that is banged later sounds everywhere, from its start.
///
/// Starts a long sound, which each machine joins as soon as it can, and stops it. Returns when the
/// machines are silent again.
///
/// # Errors
/// If that takes more than [`PATIENCE`].
pub fn wait_until_ready(lab: &Lab, relay: &Relay, channels: &[usize]) -> Result<()> {
    let mut remote = V1Client::connect(&relay.ws_url(), "caretaker", ClientKind::Remote)?;
    // All players must be connected before the bang: tutorial clients are not sent past triggers.
    remote
        .wait_for_roster(|roster| players(roster) >= channels.len())
        .context("waiting for the players to connect")?;
    let take = lab.record();
    let sound = Some(LONG_SOUND.to_owned());
    remote.send(&ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() }))?;
    take.wait_for_onsets(channels, 1).context("waiting until the machines sound")?;
    remote.watch()?;
    remote.wait_until(has_required_lead).with_context(|| {
        format!("waiting for the lead that the players need: {}", leads(&remote))
    })?;
    remote.send(&ClientToRelay::Stop(StopRequest::default()))?;
    remote.wait_for(|message| matches!(message, RelayToClient::Stop(_)).then_some(()))?;
    wait_for_silence(lab, channels)
}

/// Waits until `channels` have been silent for `SILENT_FOR`.
///
/// # Errors
/// If something sounds for longer than [`PATIENCE`].
pub fn wait_for_silence(lab: &Lab, channels: &[usize]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let take = lab.record();
        take.wait(SILENT_FOR)?;
        let recording = take.stop()?;
        if channels.iter().all(|channel| recording.peak(*channel) < SILENCE) {
            return Ok(());
        }
    }
    bail!("the machines do not become silent")
}

fn players(roster: &Roster) -> usize {
    roster.clients.iter().filter(|client| client.kind.is_player()).count()
}

/// Says which lead the relay applies, and which one each client has reported to need.
fn leads(watcher: &V1Client) -> String {
    let needs = watcher.machines.values().map(|client| {
        let lead = client.report.as_ref().and_then(|report| report.lead_micros);
        let lead = lead.map_or_else(|| "not reported".to_owned(), |micros| format!("{micros} us"));
        format!("{}: {lead}", client.name)
    });
    let needs: Vec<_> = needs.collect();
    format!(
        "the relay applies {} us; the clients need {}",
        watcher.roster.lead_micros,
        needs.join(", ")
    )
}

/// Whether every player has reported the lead it needs, and the relay applies it up to its maximum.
fn has_required_lead(watcher: &V1Client) -> bool {
    let max_lead_micros = watcher.welcome.limits.max_lead_micros;
    let lead_micros = watcher.roster.lead_micros;
    let mut players = watcher.machines.values().filter(|client| {
        // Clients of the tutorial wire report nothing.
        client.kind.is_player() && client.kind != ClientKind::Tutorial
    });
    !watcher.machines.is_empty()
        && players.all(|client| {
            let need = client.report.as_ref().and_then(|report| report.lead_micros);
            // A need that has fallen by less than a fifth is not told again.
            need.is_some_and(|need| lead_micros >= (need - need / 5).min(max_lead_micros))
        })
}
