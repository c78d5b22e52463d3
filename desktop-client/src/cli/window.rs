//! `downbeat`: opens the window, with a session behind it.

use anyhow::Context as _;
use downbeat_protocol::ClientKind;

use super::start::session_options;
use crate::{
    action::Action,
    app,
    config::PlayerConfig,
    net::address::RelayAddress,
    session::{self, SessionOptions},
    settings::SettingsFile,
    state::{Flashes, State, channel},
    time::LocalClock,
};

/// Runs the command.
pub(super) fn run(config: &PlayerConfig, relay: RelayAddress) -> anyhow::Result<()> {
    let clock = LocalClock::start();
    let settings = SettingsFile::of_user().read();
    // One that is damaged is as good as none.
    let remembered = settings.relay.as_ref().filter(|_| !config.relay.is_given());
    let relay = remembered.and_then(|link| link.0.parse().ok()).unwrap_or(relay);
    let (sound, appearance) = (settings.sound.clone(), settings.appearance);
    let options = session_options(config, relay, settings, ClientKind::Window, clock)?;
    let SessionOptions { relay, name, output, volume, muted, .. } = &options;
    let mut state = State::new(relay.to_string(), name.clone(), *volume, output.clone());
    state.muted = *muted;
    state.selected = sound;
    state.appearance = appearance.unwrap_or_default();
    if config.reduced_motion {
        state.flashes = Flashes::reduced();
    }
    let mut started = Ok(());
    let (mut sender, updates) = channel::channel(state.clone());
    app::run(state, clock, |wake| {
        let session = session::start(options, move |event| {
            let urgency = sender.send(event, clock.now());
            wake(urgency);
        });
        let actions: Box<dyn FnMut(Action) -> Option<Action>> = match session {
            Ok(session) => Box::new(move |action| session.send(action)),
            Err(error) => {
                started = Err(error);
                Box::new(|_| None)
            }
        };
        app::SessionLink { actions, updates }
    })?;
    started.context("the session could not be started")
}
