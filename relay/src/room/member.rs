//! A member of the room: an admitted client, with its name, its rights, what was assigned to its machine, and
//! its last report.

use std::sync::Arc;

use downbeat_protocol::{ClientId, ClientKind, MachineId, Report, Rights, RosterEntry};

use crate::{store::Assigned, websocket::client::Wire};

/// Longest program and version that is kept, in characters.
const MAX_CLIENT_CHARS: usize = 64;

/// Who has values of its own: a machine or, for a client that names none, its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// Over connections and restarts.
    Machine(MachineId),
    /// As long as it is connected.
    Connection(ClientId),
}

impl Owner {
    /// The machine, if it is one.
    pub(crate) fn machine(&self) -> Option<MachineId> {
        match self {
            Self::Machine(machine) => Some(*machine),
            Self::Connection(_) => None,
        }
    }
}

/// An admitted client.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The name that it says itself.
    own_name: String,
    pub(crate) kind: ClientKind,
    /// Its program and version.
    pub(super) client: String,
    /// What its token lets it do.
    pub(super) token_rights: Rights,
    /// Its last report, shared with what others were told of it.
    pub(super) report: Option<Arc<Report>>,
    /// It needs more lead than the room waits for.
    pub(super) straggler: bool,
    /// Its machine, if it names one.
    pub(super) machine: Option<MachineId>,
    /// What was assigned to its machine: the same for all clients of it. Without a machine, to the client.
    pub(super) assigned: Arc<Assigned>,
    /// What the client was last told about itself, if it is not listed: whether it plays, and straggles.
    told: (bool, bool),
}

impl Member {
    /// A member that has not reported yet.
    pub(super) fn new(own_name: String, kind: ClientKind, token_rights: Rights) -> Self {
        Self {
            own_name,
            kind,
            client: String::new(),
            token_rights,
            report: None,
            straggler: false,
            machine: None,
            assigned: Arc::default(),
            told: (false, false),
        }
    }

    /// The same on a machine.
    pub(super) fn on(self, machine: Option<MachineId>) -> Self {
        Self { machine, ..self }
    }

    /// The same with a program and its version.
    pub(super) fn by(self, client: &str) -> Self {
        Self { client: client.chars().take(MAX_CLIENT_CHARS).collect(), ..self }
    }

    /// A client of the tutorial wire, which says no name.
    pub(super) fn tutorial(id: ClientId, token_rights: Rights) -> Self {
        Self::new(format!("tutorial client {}", id.0), ClientKind::Tutorial, token_rights)
    }

    /// Who has the values of client `id`, which this is.
    pub(super) fn owner(&self, id: ClientId) -> Owner {
        self.machine.map_or(Owner::Connection(id), Owner::Machine)
    }

    /// Its name on other machines: the one that was assigned, or its own.
    pub(super) fn name(&self) -> &str {
        self.assigned.name.as_ref().unwrap_or(&self.own_name)
    }

    /// The name that it says itself.
    pub(super) fn own_name(&self) -> &str {
        &self.own_name
    }

    /// What it may do: what was assigned to its machine, or what its token says.
    pub(super) fn rights(&self) -> Rights {
        self.assigned.rights.unwrap_or(self.token_rights)
    }

    pub(super) fn wire(&self) -> Wire {
        if self.kind == ClientKind::Tutorial { Wire::Tutorial } else { Wire::V1 }
    }

    /// The lead that it needs, if it plays.
    pub(super) fn needed_lead(&self) -> Option<u32> {
        self.report.as_ref()?.lead_micros.filter(|_| self.kind.is_player())
    }

    pub(super) fn only_listens(&self) -> bool {
        self.rights() == Rights::Listener
    }

    /// Whether it was not yet told that it plays or straggles, or no longer does. From now on it was.
    pub(super) fn must_be_told(&mut self) -> bool {
        let is = (self.needed_lead().is_some(), self.straggler);
        std::mem::replace(&mut self.told, is) != is
    }

    pub(super) fn entry(&self, id: ClientId) -> RosterEntry {
        RosterEntry {
            id,
            name: self.name().to_owned(),
            kind: self.kind,
            plays: self.needed_lead().is_some(),
            seat: self.assigned.seat,
            tags: self.assigned.tags.clone(),
            straggler: self.straggler,
        }
    }
}
