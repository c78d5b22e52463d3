//! `downbeat watch`: prints what happens in the room, one JSON object a line, until it is ended. To a conductor, that
//! includes all machines and the receipt of each trigger.

use downbeat_command_line::Printer;
use downbeat_protocol::{
    ClientId, ClientKind, ClientToRelay, RelayToClient, Rights, Roster, WatchRequest, encode,
};
use serde::Serialize;
use tokio::time::sleep_until;

use super::start::{event_loop, printer};
use crate::{
    config::RelayConfig,
    net::{
        address::RelayAddress,
        connection::{Connection, ConnectionEvent},
    },
    session::protocol::{Incoming, Phase, ProtocolState},
    time::LocalClock,
};

/// Runs the command. It reconnects for as long as it runs.
pub(super) fn run(config: &RelayConfig, relay: RelayAddress) -> anyhow::Result<()> {
    let mut watch = Watch {
        printer: printer()?,
        protocol: ProtocolState::new(config.name(), ClientKind::Remote, None),
        roster: Roster::default(),
        is_conductor: false,
    };
    event_loop()?.block_on(watch.run(relay));
    Ok(())
}

/// A line that is no message of the relay.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Joined { id: ClientId, name: &'a str, kind: ClientKind },
    Left { id: ClientId, name: &'a str },
    TutorialTrigger,
    Lost { reason: &'a str },
}

struct Watch {
    printer: Printer,
    protocol: ProtocolState,
    /// As it was printed.
    roster: Roster,
    /// Whether this client runs the room, as far as the relay has said. It is then told about all machines.
    is_conductor: bool,
}

impl Watch {
    async fn run(&mut self, relay: RelayAddress) {
        let clock = LocalClock::start();
        let mut connection = Connection::new(clock);
        connection.connect_to(relay);
        // A relay that sends nothing may be gone.
        let mut check_at = tokio::time::Instant::now();
        loop {
            let event = tokio::select! {
                event = connection.next() => Some(event),
                () = sleep_until(check_at) => None,
            };
            let Some(event) = event else {
                check_at += std::time::Duration::from_secs(1);
                self.protocol.check_deadline(clock.now());
                if let Err(ConnectionEvent::Lost { reason, .. }) = connection.check() {
                    self.lost(&reason);
                }
                continue;
            };
            match event {
                ConnectionEvent::Connecting => {}
                ConnectionEvent::Open => {
                    let hello = self.protocol.connected(clock.now());
                    if let Err(ConnectionEvent::Lost { reason, .. }) = connection.send(&hello) {
                        self.lost(&reason);
                    }
                }
                ConnectionEvent::Received(text, _) => {
                    let incoming = self.protocol.receive(&text);
                    if let Some(request) = self.request(&incoming)
                        && let Err(ConnectionEvent::Lost { reason, .. }) = connection.send(&request)
                    {
                        self.lost(&reason);
                    }
                    if matches!(self.protocol.phase(), Phase::V1(_)) {
                        connection.reset_backoff();
                    }
                    self.received(incoming);
                }
                ConnectionEvent::Lost { reason, .. } => self.lost(&reason),
            }
        }
    }

    /// Asks to be told about all machines, as soon as this client may.
    fn request(&mut self, incoming: &Incoming) -> Option<ClientToRelay> {
        let record = match incoming {
            Incoming::Welcomed { welcome, .. } => &welcome.machine,
            Incoming::Machine(record) => record,
            _ => return None,
        };
        let former = std::mem::replace(&mut self.is_conductor, record.rights == Rights::Conductor);
        let request = WatchRequest { room: true, ack: None };
        (self.is_conductor && !former).then_some(ClientToRelay::Watch(request))
    }

    fn lost(&mut self, reason: &str) {
        self.is_conductor = false;
        self.protocol.disconnected();
        self.roster = Roster::default();
        self.print(&Line::Lost { reason });
    }

    fn received(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Welcomed { welcome, .. } => {
                self.roster = welcome.roster();
                self.print_message(&RelayToClient::Welcome(*welcome));
            }
            Incoming::Trigger(trigger) => self.print_message(&RelayToClient::Trigger(trigger)),
            Incoming::Stop(stop) => self.print_message(&RelayToClient::Stop(stop)),
            Incoming::Value(change) => self.print_message(&RelayToClient::Value(change)),
            Incoming::VariablesChanged(change) => {
                self.print_message(&RelayToClient::Variables(change));
            }
            Incoming::BankChanged(bank) => self.print_message(&RelayToClient::Bank(bank)),
            Incoming::Roster(roster) => {
                for client in &roster.clients {
                    if self.roster.get(client.id).is_none() {
                        let (id, name, kind) = (client.id, &client.name, client.kind);
                        self.print(&Line::Joined { id, name, kind });
                    }
                }
                for client in &self.roster.clients {
                    if roster.get(client.id).is_none() {
                        let (id, name) = (client.id, &client.name);
                        self.print(&Line::Left { id, name });
                    }
                }
                self.roster = roster;
            }
            Incoming::TutorialTrigger => self.print(&Line::TutorialTrigger),
            Incoming::Refused(refusal) => self.print_message(&RelayToClient::Error(refusal)),
            Incoming::Lock(change) => self.print_message(&RelayToClient::Lock(change)),
            Incoming::Machines(change) => self.print_message(&RelayToClient::Machines(change)),
            Incoming::Receipt(receipt) => self.print_message(&RelayToClient::Receipt(receipt)),
            // It contains tokens.
            Incoming::Joining(_)
            | Incoming::ProbeReply(_)
            | Incoming::Machine(_)
            | Incoming::Command(_)
            | Incoming::UploadReady(_)
            | Incoming::Ack(_)
            | Incoming::Ignored(_) => {}
        }
    }

    /// Prints a message as it is on the wire.
    fn print_message(&self, message: &RelayToClient) {
        self.printer.print(encode(message));
    }

    fn print(&self, line: &Line<'_>) {
        // Strings and numbers can always be written.
        self.printer.print(serde_json::to_string(line).unwrap_or_default());
    }
}
