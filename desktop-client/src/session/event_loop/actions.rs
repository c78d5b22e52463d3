//! What an [`Action`] of the person does. This is the only place that interprets one.

use downbeat_protocol::{
    AssignRequest, ClientId, ClientToRelay, Command, CommandRequest, ForgetRequest, LockRequest,
    MAX_TARGETS, MachineNumber, StopRequest, TriggerRequest, clean_name,
};
use tokio::time::Instant;

use super::{
    super::own_machine::Change,
    session::{Session, device_choice},
};
use crate::{action::Action, event::SessionEvent};

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
            Action::Assign(request) => self.assign(&request),
            Action::AssignEach(requests) => {
                for request in &requests {
                    self.assign(request);
                }
            }
            Action::Forget(machines) => self.forget(&machines),
            Action::Command { clients, command } => self.command(&clients, command),
            Action::Lock(locked) => {
                self.send(&ClientToRelay::Lock(LockRequest { locked, ack: None }));
            }
            Action::Watch(is_wanted) => self.watch(is_wanted),
            Action::EditSounds(request) => self.send(&ClientToRelay::EditSounds(request)),
            Action::Upload(paths) => self.upload(paths),
            Action::CancelUploads(ids) => {
                for id in ids {
                    self.cancel_upload(id);
                }
            }
            Action::Join(epoch) => self.join_found(epoch),
            Action::SetName(name) => {
                // The window's field allows what is no name.
                if let Some(name) = clean_name(&name) {
                    self.change(Change::Name(name));
                }
            }
            Action::SetMuted(muted) => self.change(Change::Muted(muted)),
            Action::SetAppearance(appearance) => {
                self.settings.set_appearance(appearance, now);
                self.emit(SessionEvent::AppearanceChanged(appearance));
            }
            Action::StopAll => self.stop_all(),
            Action::SelectSound(name) => {
                self.settings.set_sound(name.clone(), now);
                self.emit(SessionEvent::SoundSelected { name });
            }
            Action::SetVolume(volume) => self.change(Change::Volume(volume.clamp(0.0, 1.0))),
            Action::SetOutput(choice) => {
                self.settings.set_output(choice.clone(), now);
                self.outputs.choose(device_choice(choice.clone()));
                self.emit(SessionEvent::OutputChosen(choice));
                // The choice may change nothing; the window still needs an answer.
                self.show_output();
            }
            Action::SetExtraLatency(extra_latency) => {
                if self.output.is_ok() {
                    self.change(Change::ExtraLatency(extra_latency.micros()));
                }
            }
            Action::SetRelay(relay) => self.set_relay(&relay),
            Action::EnterCode { relay, code } => self.enter_code(relay, code),
            Action::RetryNow => self.connection.retry_now(),
        }
    }

    /// Sends a request, as several ones where it is for more machines than one may be for.
    fn assign(&mut self, request: &AssignRequest) {
        for clients in request.clients.chunks(MAX_TARGETS) {
            let clients = clients.to_vec();
            let request = AssignRequest { clients, machines: Vec::new(), ..request.clone() };
            self.send(&ClientToRelay::Assign(request));
        }
        for machines in request.machines.chunks(MAX_TARGETS) {
            let machines = machines.to_vec();
            let request = AssignRequest { clients: Vec::new(), machines, ..request.clone() };
            self.send(&ClientToRelay::Assign(request));
        }
    }

    fn forget(&mut self, machines: &[MachineNumber]) {
        for machines in machines.chunks(MAX_TARGETS) {
            let request = ForgetRequest { machines: machines.to_vec(), ack: None };
            self.send(&ClientToRelay::Forget(request));
        }
    }

    fn command(&mut self, clients: &[ClientId], command: Command) {
        for clients in clients.chunks(MAX_TARGETS) {
            let request = CommandRequest { clients: clients.to_vec(), command, ack: None };
            self.send(&ClientToRelay::Command(request));
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
