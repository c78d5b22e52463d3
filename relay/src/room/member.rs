//! A member of the room: an admitted client, with its name, role and last report.

use downbeat_protocol::{ClientId, ClientKind, MachineId, Report, RosterEntry};

use crate::websocket::client::Wire;

/// What a client is authorized to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To receive triggers and values.
    Listen,
    /// Also to send them.
    Bang,
}

/// Who has values of its own: a machine or, for a client that names none, its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// Over connections and restarts.
    Machine(MachineId),
    /// As long as it is connected.
    Connection(ClientId),
}

/// An admitted client.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its name on other machines.
    pub(super) name: String,
    pub(crate) kind: ClientKind,
    pub(super) role: Role,
    /// Its last report.
    pub(super) report: Option<Report>,
    /// It needs more lead than the room waits for.
    pub(super) straggler: bool,
    /// Its machine, if it names one.
    pub(super) machine: Option<MachineId>,
    pub(super) seat: Option<u16>,
    pub(super) tags: Vec<String>,
}

impl Member {
    /// A member that has not reported yet.
    pub(super) fn new(name: String, kind: ClientKind, role: Role) -> Self {
        let (report, straggler, machine, seat, tags) = (None, false, None, None, Vec::new());
        Self { name, kind, role, report, straggler, machine, seat, tags }
    }

    /// The same on a machine.
    pub(super) fn on(self, machine: Option<MachineId>) -> Self {
        Self { machine, ..self }
    }

    /// Who has the values of client `id`, which this is.
    pub(super) fn owner(&self, id: ClientId) -> Owner {
        self.machine.map_or(Owner::Connection(id), Owner::Machine)
    }

    /// A client of the tutorial wire, which has no name of its own.
    pub(super) fn tutorial(id: ClientId, role: Role) -> Self {
        Self::new(tutorial_name(id), ClientKind::Tutorial, role)
    }

    pub(super) fn wire(&self) -> Wire {
        if self.kind == ClientKind::Tutorial { Wire::Tutorial } else { Wire::V1 }
    }

    /// The lead that it needs, if it plays.
    pub(super) fn needed_lead(&self) -> Option<u32> {
        self.report.as_ref()?.lead_micros.filter(|_| self.kind.is_player())
    }

    pub(super) fn only_listens(&self) -> bool {
        self.role == Role::Listen
    }

    pub(super) fn entry(&self, id: ClientId) -> RosterEntry {
        RosterEntry {
            id,
            name: self.name.clone(),
            kind: self.kind,
            report: self.report.clone(),
            seat: self.seat,
            tags: self.tags.clone(),
            straggler: self.straggler,
        }
    }
}

/// The name of a client of the tutorial wire.
pub(super) fn tutorial_name(id: ClientId) -> String {
    format!("tutorial client {}", id.0)
}
