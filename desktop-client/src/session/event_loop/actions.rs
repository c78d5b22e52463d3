//! What an [`Action`] of the person does. This is the only place that interprets one.

use downbeat_protocol::{ClientToRelay, StopRequest, TriggerRequest};
use tokio::time::Instant;

use super::session::{Session, device_choice};
use crate::{action::Action, event::SessionEvent, net::address::TypedAddress};

/// Bangs that are kept during a handshake; further ones are dropped.
const MAX_PENDING_BANGS: usize = 8;

impl Session {
    /// Does what the person asks for.
    pub(super) fn act(&mut self, action: Action) {
        let now = Instant::now();
        match action {
            Action::Bang(request) => self.bang(request),
            Action::Stop(request) => self.send(&ClientToRelay::Stop(request)),
            Action::SetVariable(request) => self.send(&ClientToRelay::Set(request)),
            Action::Assign(request) => self.send(&ClientToRelay::Assign(request)),
            Action::SetAppearance(appearance) => {
                self.settings.set_appearance(appearance, now);
                self.emit(SessionEvent::AppearanceChanged(appearance));
            }
            Action::StopAll => self.stop_all(),
            Action::SelectSound(name) => {
                self.settings.set_sound(name.clone(), now);
                self.emit(SessionEvent::SoundSelected { name });
            }
            Action::SetVolume(volume) => {
                let volume = volume.clamp(0.0, 1.0);
                self.settings.set_volume(volume, now);
                self.cues.set_volume(volume);
                self.emit(SessionEvent::VolumeChanged { volume });
            }
            Action::SetOutput(choice) => {
                self.settings.set_output(choice.clone(), now);
                self.outputs.choose(device_choice(choice.clone()));
                self.emit(SessionEvent::OutputChosen(choice));
                // The choice may change nothing; the window still needs an answer.
                self.show_output();
            }
            Action::SetExtraLatency(extra_latency) => {
                if let Ok(device) = &self.output {
                    self.settings.set_extra_latency(&device.id, extra_latency, now);
                    self.cues.set_extra_latency(extra_latency, self.clock.now());
                    self.emit(SessionEvent::ExtraLatencyChanged { extra_latency });
                }
            }
            // Not saved: after a restart, a machine is back with the relay of its command line.
            Action::SetRelay(relay) => self.set_relay(&relay),
            Action::RetryNow => self.connection.retry_now(),
        }
    }

    fn set_relay(&mut self, relay: &TypedAddress) {
        self.disconnected();
        self.emit(SessionEvent::RelayChanged { relay: relay.displayed().to_owned() });
        match relay.parse(None, None) {
            Ok(address) => {
                self.relay = address.with_credentials_of(&self.relay);
                self.connection.connect_to(self.relay.clone());
            }
            Err(error) => {
                self.connection.disconnect();
                self.emit(SessionEvent::InvalidAddress { reason: error.to_string() });
            }
        }
    }

    /// Bangs. During a handshake the bang is kept until its end.
    pub(super) fn bang(&mut self, request: TriggerRequest) {
        if let Some(text) = self.protocol.encode_bang(&request) {
            let sent = self.connection.send_text(text);
            self.handle_loss(sent);
        } else if self.protocol.welcome_deadline().is_some()
            && self.pending_bangs.len() < MAX_PENDING_BANGS
        {
            self.pending_bangs.push(request);
        }
    }

    /// Stops this machine before anything else, and then all, if there is a relay. Without one, nothing
    /// is kept for later: it would stop what has begun since.
    fn stop_all(&mut self) {
        self.cues.stop_all(self.clock.now());
        self.schedule_cue_updates();
        self.pending_bangs.clear();
        // During a handshake, the stop is the first message after it.
        self.is_stop_pending = self.protocol.welcome_deadline().is_some();
        self.send(&ClientToRelay::Stop(StopRequest::default()));
        if !self.is_stop_pending && self.protocol.own_id().is_none() {
            self.emit(SessionEvent::StoppedLocally);
        }
    }

    /// Sends what was kept during the handshake.
    pub(super) fn send_pending(&mut self) {
        if std::mem::take(&mut self.is_stop_pending) {
            self.send(&ClientToRelay::Stop(StopRequest::default()));
        }
        for request in std::mem::take(&mut self.pending_bangs) {
            self.bang(request);
        }
    }
}
