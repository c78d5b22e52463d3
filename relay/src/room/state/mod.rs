//! The state of the room: its members, the numbers and instants of triggers and stops, what is sounding.
//!
//! Pure: the caller passes the time, and nothing here does I/O. The [`Hub`](super::hub::Hub) holds it
//! behind a lock and broadcasts what it returns.

use std::collections::{BTreeMap, VecDeque};

use downbeat_protocol::{
    By, ClientId, ClientKind, MAX_ROSTER_ENTRIES, RelayTime, Report, Roster, RosterChange,
    Sounding, Stop, StopRequest, Target, Trigger, TriggerRequest,
};

use super::{
    lead::{Lead, Player},
    member::Member,
    roster_updates::RosterUpdates,
};
use crate::{
    broadcast::scheduled::MAX_SCHEDULED_FRAMES, limits::rate_limit::TokenBucket,
    websocket::client::Wire,
};

/// Most triggers that are remembered as sounding. A player mixes 64 voices: a newcomer could join no more.
const MAX_SOUNDING: usize = 64;

/// How often per second a report may raise the lead at once, instead of at the next tick. Players of a
/// large lab need it no more often, and updating a room of thousands more often would be expensive.
const LEAD_UPDATES_PER_SECOND: u32 = 100;

/// A trigger that has not ended.
#[derive(Clone, Debug)]
struct Voice {
    sounding: Sounding,
    ends_at: RelayTime,
}

/// The state of the room.
#[derive(Debug)]
pub(crate) struct Room {
    lead: Lead,
    members: BTreeMap<ClientId, Member>,
    /// How many of them are of the tutorial wire, and how many have reported what lead they need.
    tutorial: usize,
    players: usize,
    next_seq: u64,
    /// The latest instant that was assigned.
    last_instant: RelayTime,
    /// The instants of triggers that were not scheduled on the tutorial wire, because it had no client: one
    /// that connects before such an instant still plays. At most [`MAX_SCHEDULED_FRAMES`]; beyond that
    /// the earliest is forgotten.
    unscheduled: VecDeque<RelayTime>,
    /// In the order of their numbers, at most [`MAX_SOUNDING`]; beyond that the oldest is forgotten,
    /// which only newcomers miss.
    voices: VecDeque<Voice>,
    roster_updates: RosterUpdates,
    /// Limits how often reports raise the lead between two ticks.
    lead_updates: TokenBucket,
}

impl Room {
    /// An empty room.
    pub(super) fn new(lead: Lead) -> Self {
        Self {
            lead,
            members: BTreeMap::new(),
            tutorial: 0,
            players: 0,
            next_seq: 1,
            last_instant: RelayTime::from_micros(0),
            unscheduled: VecDeque::new(),
            voices: VecDeque::new(),
            roster_updates: RosterUpdates::default(),
            lead_updates: TokenBucket::new(LEAD_UPDATES_PER_SECOND, RelayTime::from_micros(0)),
        }
    }

    /// The lead now.
    pub(crate) fn lead(&self) -> &Lead {
        &self.lead
    }

    /// How many members there are on a wire.
    pub(crate) fn count(&self, wire: Wire) -> usize {
        match wire {
            Wire::Tutorial => self.tutorial,
            Wire::V1 => self.members.len() - self.tutorial,
        }
    }

    /// Whether there is a member on a wire.
    pub(super) fn has(&self, wire: Wire) -> bool {
        self.count(wire) > 0
    }

    /// Whether a member plays on schedule: it has reported what lead it needs, and so has an output and a
    /// clock estimate. A client that only sends triggers reports none, nor does a page before its first
    /// touch.
    pub(super) fn has_players(&self) -> bool {
        self.players > 0
    }

    /// Adds a member.
    pub(super) fn enter(&mut self, id: ClientId, member: Member) {
        self.tutorial += usize::from(member.kind == ClientKind::Tutorial);
        self.players += usize::from(member.needed_lead().is_some());
        self.members.insert(id, member);
    }

    /// Removes a member; `None` if the client was not admitted.
    pub(super) fn leave(&mut self, id: ClientId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.tutorial -= usize::from(member.kind == ClientKind::Tutorial);
        self.players -= usize::from(member.needed_lead().is_some());
        Some(member)
    }

    /// Records a report, and raises the lead at once if the member needs more.
    pub(super) fn report(&mut self, id: ClientId, report: Report, now: RelayTime) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.report.as_ref() == Some(&report) {
            return;
        }
        let before = member.needed_lead();
        member.report = Some(report);
        let need = member.needed_lead();
        let is_first = before.is_none() && need.is_some();
        let max = self.lead.max_for(member.only_listens());
        let needs_more = need.is_some_and(|need| need.min(max) > self.lead.micros());
        self.players -= usize::from(before.is_some());
        self.players += usize::from(need.is_some());
        // Everything else waits for the next tick: an update at each report in a room of thousands would
        // cost more than all the rest. So does a member that needs more again and again.
        if (is_first || needs_more) && self.lead_updates.take(now) {
            self.update_lead(now);
        }
    }

    /// Numbers a trigger and assigns its instant. `sound` is the name in the bank, and lasts `micros` at the
    /// requested rate.
    pub(super) fn trigger(
        &mut self,
        request: TriggerRequest,
        sound: &str,
        micros: u64,
        by: By,
        now: RelayTime,
    ) -> Trigger {
        let TriggerRequest { gain, rate, pan, tone, target, data, .. } = request;
        let target = target.map(|target| Target {
            names: target.names,
            tags: target.tags,
            clients: target.clients,
            except: target.others.then_some(by.id),
        });
        let play_at = self.next_instant(now);
        let trigger = Trigger {
            seq: self.next_seq(),
            play_at,
            sound: sound.to_owned(),
            gain,
            rate,
            pan,
            tone,
            target,
            stagger_micros: 0,
            on_arrival: false,
            data,
            by,
        };
        self.forget_ended(now);
        if self.voices.len() == MAX_SOUNDING {
            self.voices.pop_front();
        }
        self.voices.push_back(Voice {
            sounding: Sounding { trigger: trigger.clone(), stop_at: None },
            ends_at: play_at.plus_micros(micros),
        });
        trigger
    }

    /// Numbers a stop and assigns its instant.
    pub(super) fn stop(&mut self, request: StopRequest, by: By, now: RelayTime) -> Stop {
        let StopRequest { trigger, sound } = request;
        let stop =
            Stop { seq: self.next_seq(), stop_at: self.next_instant(now), trigger, sound, by };
        for Voice { sounding, .. } in &mut self.voices {
            if stop.ends(&sounding.trigger) {
                let earlier = sounding.stop_at.unwrap_or(stop.stop_at).min(stop.stop_at);
                sounding.stop_at = Some(earlier);
            }
        }
        stop
    }

    /// What a client that is admitted at `now` joins.
    pub(super) fn sounding(&mut self, now: RelayTime) -> Vec<Sounding> {
        self.forget_ended(now);
        self.voices.iter().map(|voice| voice.sounding.clone()).collect()
    }

    /// Updates the lead and forgets what has ended. Returns the change of the roster to broadcast, if any.
    pub(super) fn tick(&mut self, now: RelayTime) -> Option<RosterChange> {
        self.update_lead(now);
        self.forget_ended(now);
        self.roster_updates.update(self.roster(), now)
    }

    /// The members as they are now.
    pub(crate) fn roster(&self) -> Roster {
        let listed = self.members.iter().take(MAX_ROSTER_ENTRIES);
        Roster {
            total: self.members.len() as u32,
            clients: listed.map(|(id, member)| member.entry(*id)).collect(),
            lead_micros: self.lead.micros(),
        }
    }

    /// The roster for a client that has just been admitted: what the others know, so that the next change
    /// applies to it too, and the client itself.
    pub(super) fn roster_for(&self, id: ClientId) -> Roster {
        let mut roster = self.roster_updates.sent().clone();
        roster.update(self.change_of(id));
        roster
    }

    /// The change to send to a client about itself, if it is not among the listed members.
    pub(super) fn own_change(&self, id: ClientId) -> Option<RosterChange> {
        let is_listed = self.members.keys().take(MAX_ROSTER_ENTRIES).any(|listed| *listed == id);
        (!is_listed).then(|| self.change_of(id))
    }

    fn change_of(&self, id: ClientId) -> RosterChange {
        RosterChange {
            total: self.members.len() as u32,
            clients: self.members.get(&id).map(|member| member.entry(id)).into_iter().collect(),
            left: Vec::new(),
            lead_micros: self.lead.micros(),
        }
    }

    fn update_lead(&mut self, now: RelayTime) {
        let (mut who, mut players) = (Vec::new(), Vec::new());
        for member in self.members.values_mut() {
            if let Some(need) = member.needed_lead() {
                let (only_listens, straggler) = (member.only_listens(), member.straggler);
                players.push(Player { need, only_listens, straggler });
                who.push(member);
            }
        }
        self.lead.follow(now, &mut players);
        for (member, player) in who.into_iter().zip(players) {
            member.straggler = player.straggler;
        }
    }

    fn next_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// The instant of a trigger or stop that arrives now. It is never before an earlier one, even if the
    /// lead has fallen.
    fn next_instant(&mut self, now: RelayTime) -> RelayTime {
        let at = now.plus_micros(u64::from(self.lead.micros()));
        self.last_instant = self.last_instant.max(at);
        self.last_instant
    }

    /// Records that a trigger was not scheduled on the tutorial wire, because it had no client.
    pub(super) fn add_unscheduled(&mut self, play_at: RelayTime, now: RelayTime) {
        self.forget_unscheduled(now);
        if self.unscheduled.len() == MAX_SCHEDULED_FRAMES {
            self.unscheduled.pop_front();
        }
        self.unscheduled.push_back(play_at);
    }

    /// The instants at which the first client of the tutorial wire, which connects at `now`, still plays.
    /// Later clients receive what is then scheduled for all.
    pub(super) fn take_unscheduled(&mut self, now: RelayTime) -> Vec<RelayTime> {
        self.forget_unscheduled(now);
        std::mem::take(&mut self.unscheduled).into()
    }

    fn forget_unscheduled(&mut self, now: RelayTime) {
        // In the order of their instants, because those never decrease.
        while self.unscheduled.front().is_some_and(|at| *at <= now) {
            self.unscheduled.pop_front();
        }
    }

    fn forget_ended(&mut self, now: RelayTime) {
        self.voices.retain(|voice| {
            now < voice.ends_at && voice.sounding.stop_at.is_none_or(|stop_at| now < stop_at)
        });
    }
}

#[cfg(test)]
mod tests;
