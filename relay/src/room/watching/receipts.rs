//! Receipts: for each of the last triggers, who was to sound it, who has, who was late, and who has not.
//!
//! Pure: the caller passes the time. Whom a trigger is for is noted when it is broadcast, and only while somebody
//! watches: it costs as much as there are members. A trigger for everyone shares the list with the one before.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use downbeat_protocol::{
    By, ClientId, LateClient, Missed, MissedClient, Receipt, RelayTime, Target, Trigger,
    TriggerOutcome,
};

use super::versions::Versions;
use crate::{
    limits::rate_limit::TokenBucket,
    room::{listed::Listed, member::Member},
    websocket::client::Wire,
};

/// Most triggers whose receipts are kept.
const MAX_RECEIPTS: usize = 64;

/// Most clients that a receipt lists of each kind.
const MAX_LISTED: usize = 64;

/// How many members are looked at in a second, to find whom triggers are for: the targets of a hundred triggers
/// in a room of a thousand, in half a hundredth of a second. In a flood of triggers, some have no receipt.
const MEMBERS_PER_SECOND: u32 = 100_000;

/// A trigger, and what was said about it.
#[derive(Debug)]
struct Kept {
    seq: u64,
    sound: String,
    by: By,
    /// Whom it is for, in order, except one.
    players: Arc<[ClientId]>,
    except: Option<ClientId>,
    /// A bit for each of `players` that has answered; empty before the first answer.
    answered: Vec<u64>,
    sounded: u32,
    late: Vec<LateClient>,
    missed: Vec<MissedClient>,
}

impl Kept {
    /// The place of a client among those who were to sound it.
    fn place(&self, client: ClientId) -> Option<usize> {
        self.players.binary_search(&client).ok().filter(|_| self.except != Some(client))
    }

    fn has_answered(&self, place: usize) -> bool {
        self.answered.get(place / 64).is_some_and(|bits| bits & (1 << (place % 64)) != 0)
    }

    /// Records the first answer of a client; false if it was not to sound it, or has answered.
    fn answer(&mut self, client: ClientId, lateness_micros: u32, missed: Option<Missed>) -> bool {
        let Some(place) = self.place(client).filter(|place| !self.has_answered(*place)) else {
            return false;
        };
        self.answered.resize(self.players.len().div_ceil(64), 0);
        self.answered[place / 64] |= 1 << (place % 64);
        if let Some(reason) = missed {
            self.missed.push(MissedClient { id: client, reason });
            return true;
        }
        self.sounded += 1;
        if lateness_micros > 0 {
            self.late.push(LateClient { id: client, lateness_micros });
        }
        true
    }

    fn receipt(&self) -> Receipt {
        let is_excepted = self.except.is_some_and(|id| self.players.binary_search(&id).is_ok());
        let expected = self.players.len() - usize::from(is_excepted);
        let mut late = self.late.clone();
        late.sort_unstable_by_key(|client| (std::cmp::Reverse(client.lateness_micros), client.id));
        late.truncate(MAX_LISTED);
        let waiting = self.players.iter().enumerate();
        let waiting =
            waiting.filter(|(place, id)| self.except != Some(**id) && !self.has_answered(*place));
        Receipt {
            seq: self.seq,
            sound: self.sound.clone(),
            by: self.by.clone(),
            expected: expected as u32,
            sounded: self.sounded,
            late,
            missed: self.missed.iter().take(MAX_LISTED).copied().collect(),
            waiting: waiting.map(|(_, id)| *id).take(MAX_LISTED).collect(),
        }
    }
}

/// The receipts of the last triggers.
#[derive(Debug)]
pub(super) struct Receipts {
    kept: VecDeque<Kept>,
    versions: Versions<u64>,
    /// All players, until one comes or goes.
    everyone: Option<Arc<[ClientId]>>,
    members: TokenBucket,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            versions: Versions::default(),
            everyone: None,
            members: TokenBucket::new(MEMBERS_PER_SECOND, RelayTime::from_micros(0)),
        }
    }
}

impl Receipts {
    /// Begins the receipt of a trigger.
    pub(super) fn expect(
        &mut self,
        trigger: &Trigger,
        members: &BTreeMap<ClientId, Member>,
        now: RelayTime,
    ) {
        let target = trigger.target.as_ref();
        let Some(players) = self.players_of(target, members, now) else { return };
        if self.kept.len() == MAX_RECEIPTS
            && let Some(oldest) = self.kept.pop_front()
        {
            self.versions.remove(oldest.seq);
        }
        self.versions.touch(trigger.seq);
        self.kept.push_back(Kept {
            seq: trigger.seq,
            sound: trigger.sound.clone(),
            by: trigger.by.clone(),
            players,
            except: target.and_then(|target| target.except),
            answered: Vec::new(),
            sounded: 0,
            late: Vec::new(),
            missed: Vec::new(),
        });
    }

    /// Whom a trigger is for; `None` if too many members were looked at lately.
    fn players_of(
        &mut self,
        target: Option<&Target>,
        members: &BTreeMap<ClientId, Member>,
        now: RelayTime,
    ) -> Option<Arc<[ClientId]>> {
        let listed = target.filter(|target| !target.is_unlisted());
        if listed.is_none()
            && let Some(everyone) = &self.everyone
        {
            return Some(everyone.clone());
        }
        let only_numbers = |target: &&Target| target.names.is_empty() && target.tags.is_empty();
        if let Some(target) = listed.filter(only_numbers) {
            // In the order of a stagger, and at most as many as a message lists.
            let mut numbers = target.clients.clone();
            numbers.sort_unstable();
            numbers.dedup();
            numbers.retain(|id| members.get(id).is_some_and(is_player));
            return Some(numbers.into());
        }
        if !self.members.take_many(now, members.len() as u32) {
            return None;
        }
        let players = members.iter().filter(|(_, member)| is_player(member));
        let Some(target) = listed else {
            return Some(self.everyone.insert(players.map(|(id, _)| *id).collect()).clone());
        };
        let listed = Listed::by(target);
        Some(players.filter(|(id, member)| listed.has(**id, member)).map(|(id, _)| *id).collect())
    }

    /// Records that another player may have come.
    pub(super) fn entered(&mut self) {
        self.everyone = None;
    }

    /// Records that a client has left: it answers no more.
    pub(super) fn left(&mut self, client: ClientId) {
        self.everyone = None;
        for kept in &mut self.kept {
            if kept.answer(client, 0, Some(Missed::Left)) {
                self.versions.touch(kept.seq);
            }
        }
    }

    /// Records what a client did about triggers. What it says about others, or twice, does not count.
    pub(super) fn answer(&mut self, client: ClientId, outcomes: &[TriggerOutcome]) {
        for outcome in outcomes {
            let Ok(index) = self.kept.binary_search_by_key(&outcome.seq, |kept| kept.seq) else {
                continue;
            };
            let TriggerOutcome { seq, lateness_micros, missed } = *outcome;
            if self.kept[index].answer(client, lateness_micros, missed) {
                self.versions.touch(seq);
            }
        }
    }

    /// The first receipts that have changed after a number, and up to which number that is all.
    pub(super) fn since(&self, told: u64, count: usize) -> (Vec<Receipt>, u64) {
        let changed: Vec<_> = self.versions.since(told).take(count).collect();
        let last = changed.last().map_or(told, |(version, _)| *version);
        let receipt = |(_, seq): &(u64, u64)| {
            let index = self.kept.binary_search_by_key(seq, |kept| kept.seq).ok()?;
            Some(self.kept[index].receipt())
        };
        (changed.iter().filter_map(receipt).collect(), last)
    }
}

/// Whether a member answers whether it has sounded. One without an output, or without a clock yet, does too.
fn is_player(member: &Member) -> bool {
    member.wire() == Wire::V1 && member.kind.is_player()
}

#[cfg(test)]
mod tests;
