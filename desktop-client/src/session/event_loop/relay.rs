//! What the connection and the relay's messages do.

use downbeat_protocol::{BankNow, ClientToRelay, LockChange, Welcome};

use super::{
    super::protocol::{Incoming, Phase},
    session::Session,
};
use crate::{
    event::{RelayProtocol, SessionEvent},
    net::connection::ConnectionEvent,
    time::LocalTime,
};

impl Session {
    /// Handles an event of the connection.
    pub(super) fn connection_event(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Connecting => {
                let relay = self.connection.address().map(ToString::to_string).unwrap_or_default();
                self.emit(SessionEvent::Connecting { relay });
            }
            ConnectionEvent::Open => {
                let hello = self.protocol.connected(self.clock.now());
                let sent = self.connection.send(&hello);
                self.handle_loss(sent);
            }
            ConnectionEvent::Received(text, arrived) => {
                let phase = self.protocol.phase();
                let incoming = self.protocol.receive(&text);
                self.phase_changed_from(phase);
                self.receive(incoming, arrived);
            }
            ConnectionEvent::Lost { reason, retry_in } => self.lost(reason, retry_in),
        }
    }

    /// Ends the handshake if its deadline has passed.
    pub(super) fn check_welcome_deadline(&mut self, now: LocalTime) {
        let phase = self.protocol.phase();
        self.protocol.check_deadline(now);
        self.phase_changed_from(phase);
    }

    /// Sends a probe of relay time.
    pub(super) fn send_probe(&mut self, now: LocalTime) {
        let probe = self.relay_clock.probe(now);
        self.send(&ClientToRelay::Probe(probe));
    }

    fn phase_changed_from(&mut self, former: Phase) {
        if former != Phase::Tutorial && self.protocol.phase() == Phase::Tutorial {
            self.connection.reset_backoff();
            self.cues.leave_epoch();
            self.cues.clear_variables(self.clock.now());
            self.variables.reset(Vec::new());
            self.bank.serve_embedded(&mut self.cues);
            self.connected(RelayProtocol::Tutorial);
            self.emit(SessionEvent::Variables(Vec::new()));
            self.send_pending();
            self.advance_uploads();
        }
    }

    fn receive(&mut self, incoming: Incoming, arrived: LocalTime) {
        let now = self.clock.now();
        match incoming {
            Incoming::Welcomed { welcome, new_epoch, missed } => {
                self.welcomed(*welcome, new_epoch, now);
                // What is about to be stopped does not begin here.
                if !self.is_stop_pending {
                    for sounding in missed {
                        self.join(sounding, now);
                    }
                }
                self.send_pending();
                self.advance_uploads();
            }
            Incoming::ProbeReply(reply) => {
                self.relay_clock.receive(reply, arrived, now);
                self.cues.set_clock(self.relay_clock.estimate(), now);
            }
            Incoming::Trigger(trigger) => self.schedule(trigger, now),
            Incoming::Stop(stop) => {
                self.cues.stop(&stop, now);
                self.schedule_cue_updates();
            }
            Incoming::Value(change) => self.value_set(&change, now),
            Incoming::VariablesChanged(change) => self.variables_changed(change, now),
            Incoming::Ack(ack) => self.own_machine.answered(ack),
            Incoming::Roster(roster) => self.emit(SessionEvent::Roster(roster)),
            Incoming::BankChanged(bank) => {
                self.serve(bank.clone());
                self.emit(SessionEvent::BankChanged(bank));
                self.emit_bank_events();
            }
            Incoming::Machine(record) => self.machine_changed(record),
            Incoming::Command(command) => self.obey(command, now),
            Incoming::Lock(LockChange { locked, by }) => {
                self.emit(SessionEvent::Locked { locked, by: Some(by.name) });
            }
            Incoming::Machines(change) => self.emit(SessionEvent::Machines(change)),
            Incoming::Receipt(receipt) => self.emit(SessionEvent::Receipt(receipt)),
            Incoming::Joining(joining) => self.emit(SessionEvent::Joining(joining)),
            Incoming::UploadReady(ready) => self.upload_ready(ready),
            Incoming::Refused(refusal) => {
                if let Some(ack) = refusal.ack {
                    self.own_machine.answered(ack);
                }
                if !self.upload_refused(refusal.ack, &refusal.message) {
                    self.emit(SessionEvent::Refused { reason: refusal.message });
                }
            }
            Incoming::TutorialTrigger => self.schedule_tutorial_trigger(now),
            Incoming::Ignored(why) => tracing::debug!(why, "message ignored"),
        }
    }

    fn welcomed(&mut self, welcome: Welcome, new_epoch: bool, now: LocalTime) {
        tracing::info!(relay = welcome.relay, epoch = %welcome.epoch, "welcomed");
        self.connection.reset_backoff();
        if new_epoch {
            self.cues.leave_epoch();
            self.relay_clock.reset();
        } else {
            self.relay_clock.reconnected();
            let sounding: Vec<_> = welcome.sounding.iter().map(|s| s.trigger.seq).collect();
            self.cues.keep_only(&sounding, welcome.sounding_from.unwrap_or(0), now);
        }
        self.cues.set_clock(self.relay_clock.estimate(), now);
        self.cues.reset_tally();
        self.reported_lead_micros = 0;
        let roster = welcome.roster();
        self.serve(BankNow {
            sounds: welcome.sounds,
            default_sound: welcome.default_sound,
            bank: welcome.bank,
            removed: welcome.removed,
        });
        self.cues.set_variables(&welcome.variables, now);
        self.variables.reset(welcome.variables);
        let max_lead_micros = welcome.limits.max_lead_micros;
        self.connected(RelayProtocol::V1 { id: welcome.id, max_lead_micros });
        self.emit(SessionEvent::Roster(roster));
        self.emit(SessionEvent::Locked { locked: welcome.locked, by: None });
        self.machine_changed(welcome.machine);
        self.emit(SessionEvent::Variables(self.variables.states().to_vec()));
        for change in welcome.pending {
            self.value_set(&change, now);
        }
    }

    fn connected(&mut self, protocol: RelayProtocol) {
        self.joined();
        let bank = self.bank.bank().clone();
        self.emit(SessionEvent::Connected { protocol, bank });
        self.emit_bank_events();
    }
}
