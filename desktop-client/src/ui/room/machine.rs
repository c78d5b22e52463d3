//! One machine of the room as those see it who run it: connected or away, with its trouble.
//!
//! Pure: from the state to words and numbers. It draws nothing.

use downbeat_protocol::{
    AwayEntry, ClientId, ClientKind, MachineEntry, MachineNumber, Place, Report, Rights,
};

use crate::{
    state::{State, Trouble, WatchedRoom, plays_bank, trouble_of_away},
    time::LocalTime,
    ui::format,
};

/// Identifies a machine while the window is open: by what is kept of it, so that it is still selected after
/// it has reconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::ui) enum Key {
    /// A machine of which something is kept.
    Machine(MachineNumber),
    /// A client of which nothing is kept.
    Client(ClientId),
}

/// How a machine is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ui) enum Health {
    /// Sounds are missing, or heard apart.
    Heard,
    /// Something is worth knowing.
    Noted,
    /// It is expected, and not connected.
    Missing,
    /// It is as it should be.
    Well,
    /// It is muted, or makes no sound of the bank.
    Silent,
    /// It is not connected.
    Away,
}

/// A machine of the room.
#[derive(Clone, Debug)]
pub(in crate::ui) struct Machine<'a> {
    pub(in crate::ui) key: Key,
    pub(in crate::ui) name: &'a str,
    pub(in crate::ui) seat: Option<u16>,
    pub(in crate::ui) place: Option<Place>,
    pub(in crate::ui) tags: &'a [String],
    /// Its client; none while it is not connected.
    pub(in crate::ui) client: Option<&'a MachineEntry>,
    /// What is wrong with it, the worst first.
    pub(in crate::ui) troubles: Vec<Trouble>,
}

impl<'a> Machine<'a> {
    /// All machines of the watched room: the connected ones, then the others.
    pub(in crate::ui) fn all(state: &State, room: &'a WatchedRoom, now: LocalTime) -> Vec<Self> {
        let connected = room.clients.iter().map(|client| Self::connected(client, state, now));
        connected.chain(room.away.iter().map(Self::away)).collect()
    }

    fn connected(client: &'a MachineEntry, state: &State, now: LocalTime) -> Self {
        Self {
            key: client.machine.map_or(Key::Client(client.id), Key::Machine),
            name: &client.name,
            seat: client.seat,
            place: client.place,
            tags: &client.tags,
            client: Some(client),
            troubles: state.troubles(client, now),
        }
    }

    fn away(machine: &'a AwayEntry) -> Self {
        Self {
            key: Key::Machine(machine.machine),
            name: &machine.name,
            seat: machine.seat,
            place: machine.place,
            tags: &machine.tags,
            client: None,
            troubles: trouble_of_away(machine).into_iter().collect(),
        }
    }

    /// Its last report.
    pub(in crate::ui) fn report(&self) -> Option<&'a Report> {
        self.client?.report.as_ref()
    }

    /// Its number among the kept machines.
    pub(in crate::ui) fn number(&self) -> Option<MachineNumber> {
        match self.key {
            Key::Machine(number) => Some(number),
            Key::Client(_) => None,
        }
    }

    /// What it may do; unknown while it is away.
    pub(in crate::ui) fn rights(&self) -> Option<Rights> {
        self.client.map(|client| client.rights)
    }

    /// Whether it is connected and plays sounds of the bank.
    pub(in crate::ui) fn is_player(&self) -> bool {
        self.client.is_some_and(|client| plays_bank(client.kind))
    }

    /// How it is.
    pub(in crate::ui) fn health(&self) -> Health {
        let Some(client) = self.client else {
            return if self.troubles.is_empty() { Health::Away } else { Health::Missing };
        };
        let is_muted = self.report().is_some_and(|report| report.muted);
        match self.troubles.first() {
            Some(trouble) if trouble.is_heard() => Health::Heard,
            Some(_) => Health::Noted,
            None if is_muted || !plays_bank(client.kind) => Health::Silent,
            None if self.report().is_none() => Health::Noted,
            None => Health::Well,
        }
    }

    /// How it is, in words.
    pub(in crate::ui) fn status(&self) -> String {
        if !self.troubles.is_empty() {
            let words: Vec<_> = self.troubles.iter().map(Trouble::text).collect();
            return words.join(" · ");
        }
        let words = match (self.client.map(|client| client.kind), self.report()) {
            (None, _) => "not connected",
            (Some(ClientKind::Remote), _) => "makes no sound",
            (Some(ClientKind::Tutorial), _) => "plays on arrival",
            (Some(_), Some(report)) if report.muted => "muted",
            (Some(_), Some(_)) => "ready",
            (Some(_), None) => "has not reported yet",
        };
        words.to_owned()
    }

    /// What to do about the worst trouble.
    pub(in crate::ui) fn advice(&self) -> Option<&'static str> {
        self.troubles.first().map(Trouble::advice)
    }

    /// Its kind.
    pub(in crate::ui) fn kind(&self) -> &'static str {
        self.client.map_or("away", |client| format::kind(client.kind))
    }

    /// Its kind and version.
    pub(in crate::ui) fn program(&self) -> Option<String> {
        let client = self.client?;
        let version = client.client.rsplit('/').next().unwrap_or_default();
        Some(format!("{} {version}", self.kind()).trim_end().to_owned())
    }

    /// How many sounds of the bank are ready, of how many.
    pub(in crate::ui) fn ready(&self, sounds: usize) -> Option<String> {
        let ready = self.report()?.ready?;
        Some(format!("{ready} of {sounds}"))
    }

    /// How late its last sound was.
    pub(in crate::ui) fn last(&self) -> Option<String> {
        Some(match self.report()?.lateness_micros? {
            0 => "on time".to_owned(),
            micros => format!("+{}", format::micros(micros.into())),
        })
    }

    /// Its largest level since the last report.
    pub(in crate::ui) fn level(&self) -> Option<String> {
        let report = self.report().filter(|_| self.is_player())?;
        Some(report.level_db.map_or_else(|| "–".to_owned(), |level| format!("{level} dB")))
    }

    /// Whether it is found by these words: in its name, its tags, its kind, its output, its trouble, or as its
    /// seat.
    pub(in crate::ui) fn is_found(&self, words: &[String]) -> bool {
        if words.is_empty() {
            return true;
        }
        let output = self.report().and_then(|report| report.output.as_deref());
        let tags = self.tags.join(" ");
        let status = self.status();
        let text = [self.name, &tags, self.kind(), output.unwrap_or_default(), &status];
        let text = text.join(" ").to_lowercase();
        let seat = self.seat.map(|seat| seat.to_string());
        words.iter().all(|word| text.contains(word) || seat.as_deref() == Some(word))
    }
}
