//! A member of the room: an admitted client, with its name, role and last report.

use downbeat_protocol::{ClientId, ClientKind, Report, RosterEntry};

/// What a client is authorized to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To receive triggers.
    Listen,
    /// Also to send them.
    Bang,
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
}

impl Member {
    /// A member that has not reported yet.
    pub(super) fn new(name: String, kind: ClientKind, role: Role) -> Self {
        Self { name, kind, role, report: None, straggler: false }
    }

    /// A client of the tutorial wire, which has no name of its own.
    pub(super) fn tutorial(id: ClientId, role: Role) -> Self {
        Self::new(tutorial_name(id), ClientKind::Tutorial, role)
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
            seat: None,
            tags: Vec::new(),
            straggler: self.straggler,
        }
    }
}

/// The name of a client of the tutorial wire.
pub(super) fn tutorial_name(id: ClientId) -> String {
    format!("tutorial client {}", id.0)
}
