//! The state of the room: its members, the numbers and instants of triggers and stops, what is sounding.
//!
//! Pure: the caller passes the time, and nothing here does I/O. The [`Hub`](super::hub::Hub) holds it
//! behind a lock and broadcasts what it returns.

use std::{collections::BTreeMap, sync::Arc};

use downbeat_protocol::{
    By, ClientId, ClientToRelay, MAX_ROSTER_ENTRIES, MachineId, MachineRecord, Refusal, RelayTime,
    Report, Roster, RosterChange, Sounding, Stop, StopRequest, Target, Trigger, TriggerRequest,
    When,
};

use super::{
    effects::Effects,
    lead::{Lead, Player},
    machines::Machines,
    member::Member,
    roster_updates::RosterUpdates,
    sequence::{Sequence, Stamp},
    sounding::Voices,
    unscheduled::Unscheduled,
    variables::Variables,
    watching::Watching,
};
use crate::{
    limits::rate_limit::TokenBucket, rights::Required, store::Write, websocket::client::Wire,
};

/// How often per second a report may raise the lead at once, instead of at the next tick. Players of a
/// large lab need it no more often, and updating a room of thousands more often would be expensive.
const LEAD_UPDATES_PER_SECOND: u32 = 100;

/// The state of the room.
#[derive(Debug)]
pub(crate) struct Room {
    lead: Lead,
    pub(super) members: BTreeMap<ClientId, Member>,
    /// How many of them are of the tutorial wire, and how many have reported what lead they need.
    tutorial: usize,
    players: usize,
    sequence: Sequence,
    pub(super) unscheduled: Unscheduled,
    voices: Voices,
    pub(super) variables: Variables,
    pub(super) machines: Machines,
    /// Only conductors make the room sound.
    pub(super) locked: bool,
    pub(super) watching: Watching,
    /// Chooses players at random.
    pub(super) random: fastrand::Rng,
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
            sequence: Sequence::default(),
            unscheduled: Unscheduled::default(),
            voices: Voices::default(),
            variables: Variables::default(),
            machines: Machines::default(),
            locked: false,
            watching: Watching::default(),
            random: fastrand::Rng::new(),
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
    pub(super) fn enter(&mut self, id: ClientId, mut member: Member) {
        // One more than a machine has is of none.
        member.machine = member.machine.filter(|machine| self.machines.takes_client(*machine));
        if let Some(machine) = member.machine
            && let Some(assigned) = self.machines.enter(machine, id, member.own_name())
        {
            member.assigned = assigned;
        }
        self.tutorial += usize::from(member.wire() == Wire::Tutorial);
        self.players += usize::from(member.needed_lead().is_some());
        self.members.insert(id, member);
        self.watching.entered();
    }

    /// Removes a member; `None` if the client was not admitted.
    pub(super) fn leave(&mut self, id: ClientId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        match member.machine {
            Some(machine) => self.machines.leave(machine, id),
            // Nothing of it is stored.
            None => self.variables.forget(member.owner(id), &mut Effects::default()),
        }
        self.tutorial -= usize::from(member.wire() == Wire::Tutorial);
        self.players -= usize::from(member.needed_lead().is_some());
        self.watching.left(id);
        Some(member)
    }

    /// Who sends a message, if it may, as its rights and the room are now.
    ///
    /// # Errors
    /// If it may not.
    pub(super) fn authorize(&self, id: ClientId, message: &ClientToRelay) -> Result<By, Refusal> {
        let is_open =
            |name: &str| self.variables.declaration(name).is_ok_and(|variable| variable.open);
        self.check(id, Required::by_message(message, id, is_open))
    }

    /// Who sends a `trigger-input`, if it may.
    ///
    /// # Errors
    /// If it may not.
    pub(super) fn authorize_tutorial(&self, id: ClientId) -> Result<By, Refusal> {
        self.check(id, Required::by_tutorial_trigger())
    }

    fn check(&self, id: ClientId, required: Required) -> Result<By, Refusal> {
        let member = self.members.get(&id);
        required.check(member.map(Member::rights), self.locked)?;
        let name = member.map(|member| member.name().to_owned()).unwrap_or_default();
        Ok(By { id, name })
    }

    /// What a client is told about its machine.
    pub(super) fn record_of(&self, id: ClientId) -> MachineRecord {
        let member = self.members.get(&id);
        member.map(|member| member.assigned.record(member.rights())).unwrap_or_default()
    }

    /// The last report of a client.
    pub(crate) fn report_of(&self, id: ClientId) -> Option<Report> {
        self.members.get(&id)?.report.as_deref().cloned()
    }

    /// The machine of a client, if it is of one.
    pub(super) fn machine_of(&self, id: ClientId) -> Option<MachineId> {
        self.members.get(&id)?.machine
    }

    /// What is stored of a machine that was just seen.
    pub(super) fn stored_machine(&self, machine: Option<MachineId>) -> Option<Write> {
        self.machines.stored(machine?)
    }

    /// Records a report, and raises the lead at once if the member needs more.
    pub(super) fn report(&mut self, id: ClientId, report: Report, now: RelayTime) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.report.as_deref() == Some(&report) {
            return;
        }
        let before = member.needed_lead();
        member.report = Some(Arc::new(report));
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

    /// How many variables there are.
    pub(crate) fn variables(&self) -> usize {
        self.variables.len()
    }

    /// When the next value is due that waits for its turn.
    pub(super) fn next_value_due(&self) -> Option<RelayTime> {
        self.variables.next_due()
    }

    /// Numbers a trigger and assigns its instant. `sound` is the name in the bank, and lasts `micros` at the
    /// requested rate, or until a stop.
    pub(super) fn trigger(
        &mut self,
        request: TriggerRequest,
        target: Option<Target>,
        sound: &str,
        micros: Option<u64>,
        by: By,
        now: RelayTime,
    ) -> Trigger {
        let TriggerRequest { gain, rate, pan, tone, when, stagger_micros, data, .. } = request;
        let Stamp { seq, at: play_at } = self.stamp(when, now);
        let trigger = Trigger {
            seq,
            play_at,
            sound: sound.to_owned(),
            gain,
            rate,
            pan,
            tone,
            target,
            stagger_micros,
            on_arrival: when == When::Now,
            data,
            by,
        };
        self.voices.add(&trigger, micros, now);
        trigger
    }

    /// Numbers a stop and assigns its instant.
    pub(super) fn stop(&mut self, request: StopRequest, by: By, now: RelayTime) -> Stop {
        let StopRequest { trigger, sound } = request;
        let Stamp { seq, at: stop_at } = self.stamp(When::Together, now);
        let stop = Stop { seq, stop_at, trigger, sound, by };
        self.voices.stop(&stop);
        self.unscheduled.cancel(&stop);
        stop
    }

    /// What a client that is admitted at `now` joins.
    pub(super) fn sounding(&mut self, now: RelayTime) -> Vec<Sounding> {
        self.voices.at(now).cloned().collect()
    }

    /// The number of the trigger from which on that is complete; `None` if it is as a whole.
    pub(super) fn sounding_from(&mut self, now: RelayTime) -> Option<u64> {
        self.voices.complete_from(now)
    }

    /// When the first of what is sounding began; `now` if nothing is.
    pub(super) fn sounding_since(&mut self, now: RelayTime) -> RelayTime {
        self.voices.at(now).fold(now, |since, sounding| since.min(sounding.trigger.play_at))
    }

    /// Whether a sound of this name is sounding or waits to.
    pub(super) fn is_sounding(&mut self, name: &str, now: RelayTime) -> bool {
        self.voices.at(now).any(|sounding| sounding.trigger.sound == name)
    }

    /// Updates the lead and forgets what has ended. Returns the change of the roster to broadcast, if any.
    pub(super) fn tick(&mut self, now: RelayTime) -> Option<RosterChange> {
        self.update_lead(now);
        self.voices.forget_ended(now);
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

    /// The change to send to a client about itself, if it is not among the listed members and does not know it.
    pub(super) fn own_change(&mut self, id: ClientId) -> Option<RosterChange> {
        let must_be_told = self.members.get_mut(&id)?.must_be_told();
        let is_listed = || self.members.keys().take(MAX_ROSTER_ENTRIES).any(|listed| *listed == id);
        (must_be_told && !is_listed()).then(|| self.change_of(id))
    }

    /// What changes when a client is told its own entry.
    pub(super) fn change_of(&self, id: ClientId) -> RosterChange {
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

    fn stamp(&mut self, when: When, now: RelayTime) -> Stamp {
        self.sequence.stamp(when, now, self.lead.micros())
    }

    /// The variables, and what numbers their values.
    pub(super) fn variables_and_stamp(
        &mut self,
        now: RelayTime,
    ) -> (&mut Variables, impl FnMut(When) -> Stamp) {
        let (sequence, lead) = (&mut self.sequence, self.lead.micros());
        (&mut self.variables, move |when| sequence.stamp(when, now, lead))
    }
}

#[cfg(test)]
mod tests;
