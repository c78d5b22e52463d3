//! A room that is ready: everyone who should sound does, and in time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use downbeat_protocol::{
    ClientKind, ClientToRelay, RelayToClient, Roster, StopRequest, TriggerRequest,
};

use crate::{client::V1Client, lab::Lab, process::PATIENCE, relay::Relay};

/// A sound of the embedded bank that is long enough to be joined whenever a player is ready for it.
const LONG_SOUND: &str = "texture";

/// What counts as silence: 80 dB under full scale.
const SILENCE: f32 = 1e-4;

/// How long it must last.
const SILENT_FOR: Duration = Duration::from_millis(250);

/// Waits until the machines of `channels` sound, every player of the room has told the relay what
/// lead it needs, and the relay gives it. A click that is banged before may be over at a machine
/// before its turn comes; one that is banged after is heard everywhere, from its start.
///
/// To find out, a long sound is started, which each joins as soon as it can, and ended; on return
/// there is silence again.
///
/// # Errors
/// If that takes more than [`PATIENCE`].
pub fn wait_until_ready(lab: &Lab, relay: &Relay, channels: &[usize]) -> Result<()> {
    let mut remote = V1Client::connect(&relay.ws_url(), "caretaker", ClientKind::Remote)?;
    // Whoever is to sound must be there to be triggered: tutorial clients are sent nothing of the past.
    remote
        .wait_for_roster(|roster| players(roster) >= channels.len())
        .context("waiting for the players to come")?;
    let take = lab.record();
    let sound = Some(LONG_SOUND.to_owned());
    remote.send(&ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() }))?;
    take.wait_for_onsets(channels, 1).context("waiting until the machines sound")?;
    let max = remote.welcome.limits.max_lead_micros;
    remote
        .wait_for_roster(|roster| gives_what_is_needed(roster, max))
        .context("waiting until the relay gives the lead that the players need")?;
    remote.send(&ClientToRelay::Stop(StopRequest::default()))?;
    remote.wait_for(|message| matches!(message, RelayToClient::Stop(_)).then_some(()))?;
    wait_for_silence(lab, channels)
}

/// Waits until nothing has sounded on `channels` for a while.
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
    bail!("the room does not fall silent")
}

fn players(roster: &Roster) -> usize {
    roster.clients.iter().filter(|client| client.kind.is_player()).count()
}

/// Whether every player has said what it needs, and gets it as far as the relay goes.
fn gives_what_is_needed(roster: &Roster, max_lead_micros: u32) -> bool {
    let mut players = roster.clients.iter().filter(|client| {
        // Those of the tutorial wire report nothing.
        client.kind.is_player() && client.kind != ClientKind::Tutorial
    });
    players.all(|client| {
        let need = client.report.as_ref().and_then(|report| report.lead_micros);
        need.is_some_and(|need| roster.lead_micros >= need.min(max_lead_micros))
    })
}
