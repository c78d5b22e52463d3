//! Who watches the room, and what they are told: all machines, and receipts of triggers.
//!
//! Pure: the caller passes the time. Each watcher is told what has changed since it was last told, so one that
//! reads slowly is told less often, and the latest. While nobody watches, nothing is kept here.

mod listing;
mod receipts;
mod versions;
mod weight;

use std::collections::BTreeMap;

use downbeat_protocol::{
    ClientId, ErrorCode, MachinesChange, Receipt, Refusal, RelayTime, Trigger, TriggerOutcome,
};

use self::{listing::Listing, receipts::Receipts};
use super::{machines::Machines, member::Member, refuse::refusal};

/// Most clients that watch. A room has one or two who run it; each costs as much as a few machines.
const MAX_WATCHERS: usize = 64;

/// Most receipts that are told at once.
const MAX_RECEIPTS_AT_ONCE: usize = 16;

/// Up to which change a client was told everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    machines: u64,
    receipts: u64,
}

/// What some watchers are told at once: those who were told the same before.
#[derive(Debug, PartialEq)]
pub(super) struct News {
    pub(super) to: Vec<ClientId>,
    pub(super) machines: Option<MachinesChange>,
    pub(super) receipts: Vec<Receipt>,
}

/// The watchers, and what is kept for them.
#[derive(Debug, Default)]
pub(super) struct Watching {
    watchers: BTreeMap<ClientId, Told>,
    listing: Listing,
    receipts: Receipts,
}

impl Watching {
    /// Lets a client watch; whether it did not before.
    ///
    /// # Errors
    /// If too many do.
    pub(super) fn start(&mut self, client: ClientId) -> Result<bool, Refusal> {
        if self.watchers.contains_key(&client) {
            return Ok(false);
        }
        if self.watchers.len() >= MAX_WATCHERS {
            let message = format!("at most {MAX_WATCHERS} clients watch the room");
            return Err(refusal(ErrorCode::Full, message));
        }
        self.watchers.insert(client, Told::default());
        Ok(true)
    }

    /// Lets a client watch no longer.
    pub(super) fn stop(&mut self, client: ClientId) {
        if self.watchers.remove(&client).is_some() && self.watchers.is_empty() {
            *self = Self::default();
        }
    }

    /// Records that a member has come.
    pub(super) fn entered(&mut self) {
        self.receipts.entered();
    }

    /// Records that a member has left.
    pub(super) fn left(&mut self, client: ClientId) {
        self.stop(client);
        self.receipts.left(client);
    }

    /// Begins the receipt of a trigger, if somebody watches.
    pub(super) fn expect(
        &mut self,
        trigger: &Trigger,
        members: &BTreeMap<ClientId, Member>,
        now: RelayTime,
    ) {
        if !self.watchers.is_empty() {
            self.receipts.expect(trigger, members, now);
        }
    }

    /// Records what a client did about triggers.
    pub(super) fn answer(&mut self, client: ClientId, outcomes: &[TriggerOutcome]) {
        self.receipts.answer(client, outcomes);
    }

    /// What to tell the watchers at `now`. One that `is_ready` refuses has not yet read what it was told, and is
    /// told nothing more.
    pub(super) fn news(
        &mut self,
        now: RelayTime,
        members: &BTreeMap<ClientId, Member>,
        machines: &Machines,
        is_ready: impl Fn(ClientId) -> bool,
    ) -> Vec<News> {
        let told = self.watchers.values().map(|told| told.machines);
        let Some(told) = told.clone().min().zip(told.max()) else { return Vec::new() };
        self.listing.refresh(now, members, machines, told);
        // Those who were told the same are told the same: it is composed and encoded once.
        let mut same: BTreeMap<Told, Vec<ClientId>> = BTreeMap::new();
        for (client, told) in &self.watchers {
            if is_ready(*client) {
                same.entry(*told).or_default().push(*client);
            }
        }
        let mut all = Vec::new();
        for (told, to) in same {
            let (machines, last_machines) = self.listing.since(told.machines, members).unzip();
            let (receipts, last_receipts) =
                self.receipts.since(told.receipts, MAX_RECEIPTS_AT_ONCE);
            if machines.is_none() && receipts.is_empty() {
                continue;
            }
            let machines_told = last_machines.unwrap_or(told.machines);
            for client in &to {
                let told = Told { machines: machines_told, receipts: last_receipts };
                self.watchers.insert(*client, told);
            }
            all.push(News { to, machines, receipts });
        }
        all
    }
}

#[cfg(test)]
mod tests;
