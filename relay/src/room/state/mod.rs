//! The room: what its triggers are numbered and stamped with, what is sounding, who is here.
//!
//! Pure: told what time it is, and does no I/O. [`Relay`](crate::relay::Relay) holds the one room
//! there is behind a lock, and says what comes out of it.

mod told;

use std::collections::{BTreeMap, VecDeque};

use downbeat_protocol::{
    By, ClientId, ClientKind, ROSTER_ENTRIES, RelayTime, Report, Roster, RosterChange, RosterEntry,
    Sounding, Stop, StopRequest, Trigger, TriggerRequest,
};

use self::told::Told;
use crate::{
    access::Role,
    clients::Wire,
    config::{DUE_FRAMES, JUDGEMENTS_PER_SECOND, SOUNDING},
    lead::{Lead, Player},
    rate::Bucket,
};

/// One who was admitted.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it is called on other machines.
    pub name: String,
    /// What it is.
    pub kind: ClientKind,
    /// What it may do.
    pub role: Role,
    /// How it was doing when it last said so.
    pub report: Option<Report>,
    /// It needs more lead than the room waits for.
    pub straggler: bool,
}

impl Member {
    /// One of whom nothing but this is known yet.
    #[must_use]
    pub fn new(name: String, kind: ClientKind) -> Self {
        Self { name, kind, role: Role::Bang, report: None, straggler: false }
    }

    /// The lead it needs, if it sounds.
    fn need(&self) -> Option<u32> {
        self.report.as_ref()?.lead_micros.filter(|_| self.kind.is_player())
    }

    fn listens_only(&self) -> bool {
        self.role == Role::Listen
    }

    fn entry(&self, id: ClientId) -> RosterEntry {
        RosterEntry {
            id,
            name: self.name.clone(),
            kind: self.kind,
            report: self.report.clone(),
            straggler: self.straggler,
        }
    }
}

/// A trigger that was said and has not ended.
#[derive(Clone, Debug)]
struct Voice {
    sounding: Sounding,
    ends_at: RelayTime,
}

/// The room.
#[derive(Debug)]
pub struct Room {
    lead: Lead,
    members: BTreeMap<ClientId, Member>,
    /// How many of them are [plain](ClientKind::Plain), and how many have said what lead they need.
    plain: usize,
    players: usize,
    next_seq: u64,
    /// The latest instant that was promised.
    last_stamp: RelayTime,
    /// When those of the seed's wire are to sound who may still come: the bangs that wait for their
    /// instant, and of which that wire was not told because nobody was there. At most
    /// [`DUE_FRAMES`]; beyond that the earliest is forgotten.
    untold: VecDeque<RelayTime>,
    /// In the order of their numbers, at most [`SOUNDING`]; beyond that the oldest is forgotten,
    /// and only a newcomer misses it.
    voices: VecDeque<Voice>,
    /// What everyone knows of who is here.
    told: Told,
    /// How often the room may be judged between two ticks.
    judgements: Bucket,
}

impl Room {
    /// An empty room.
    #[must_use]
    pub fn new(lead: Lead) -> Self {
        Self {
            lead,
            members: BTreeMap::new(),
            plain: 0,
            players: 0,
            next_seq: 1,
            last_stamp: RelayTime::from_micros(0),
            untold: VecDeque::new(),
            voices: VecDeque::new(),
            told: Told::default(),
            judgements: Bucket::new(JUDGEMENTS_PER_SECOND, RelayTime::from_micros(0)),
        }
    }

    /// The lead now.
    #[must_use]
    pub fn lead(&self) -> &Lead {
        &self.lead
    }

    /// Everyone who was admitted, in the order in which they came.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<ClientId, Member> {
        &self.members
    }

    /// How many there are on the seed's wire, and on `downbeat.v1`.
    #[must_use]
    pub fn count_by_wire(&self) -> (u32, u32) {
        (self.plain as u32, (self.members.len() - self.plain) as u32)
    }

    /// Whether there is anyone on a wire.
    #[must_use]
    pub fn has(&self, wire: Wire) -> bool {
        match wire {
            Wire::Seed => self.plain > 0,
            Wire::Modern => self.members.len() > self.plain,
        }
    }

    /// Whether someone is here who is scheduled: who has said what lead it needs, and so has an
    /// output and knows the time. One who only bangs has none to say, nor has a page before its first
    /// touch.
    #[must_use]
    pub fn has_players(&self) -> bool {
        self.players > 0
    }

    /// Admits a client.
    pub fn enter(&mut self, id: ClientId, member: Member) {
        self.plain += usize::from(member.kind == ClientKind::Plain);
        self.players += usize::from(member.need().is_some());
        self.members.insert(id, member);
    }

    /// Lets a client go; `None` if it had not been admitted.
    pub fn leave(&mut self, id: ClientId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.plain -= usize::from(member.kind == ClientKind::Plain);
        self.players -= usize::from(member.need().is_some());
        Some(member)
    }

    /// Notes how a client is doing, and raises the lead at once if it needs more than there is.
    pub fn report(&mut self, id: ClientId, report: Report, now: RelayTime) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if member.report.as_ref() == Some(&report) {
            return;
        }
        let before = member.need();
        member.report = Some(report);
        let need = member.need();
        let is_first = before.is_none() && need.is_some();
        let most = self.lead.most_for(member.listens_only());
        let needs_more = need.is_some_and(|need| need.min(most) > self.lead.micros());
        self.players -= usize::from(before.is_some());
        self.players += usize::from(need.is_some());
        // Everything else can wait for the next tick: to judge a room of thousands at each of its
        // reports would cost more than all the rest. So can this, from those who need more and more.
        if (is_first || needs_more) && self.judgements.take(now) {
            self.follow_needs(now);
        }
    }

    /// Numbers and stamps a bang. `sound` is its name in the bank, and lasts `micros` at this rate.
    pub fn trigger(
        &mut self,
        request: TriggerRequest,
        sound: &str,
        micros: u64,
        by: By,
        now: RelayTime,
    ) -> Trigger {
        let TriggerRequest { sound: _, gain, rate, pan, target, data } = request;
        let play_at = self.stamp(now);
        let trigger = Trigger {
            seq: self.number(),
            play_at,
            sound: sound.to_owned(),
            gain,
            rate,
            pan,
            target,
            data,
            by,
        };
        self.forget_what_ended(now);
        if self.voices.len() == SOUNDING {
            self.voices.pop_front();
        }
        self.voices.push_back(Voice {
            sounding: Sounding { trigger: trigger.clone(), stop_at: None },
            ends_at: play_at.plus_micros(micros),
        });
        trigger
    }

    /// Numbers and stamps a wish for silence.
    pub fn stop(&mut self, request: StopRequest, by: By, now: RelayTime) -> Stop {
        let StopRequest { trigger, sound } = request;
        let stop = Stop { seq: self.number(), stop_at: self.stamp(now), trigger, sound, by };
        for Voice { sounding, .. } in &mut self.voices {
            if stop.ends(&sounding.trigger) {
                let earlier = sounding.stop_at.unwrap_or(stop.stop_at).min(stop.stop_at);
                sounding.stop_at = Some(earlier);
            }
        }
        stop
    }

    /// What one who comes at `now` is to join.
    pub fn sounding(&mut self, now: RelayTime) -> Vec<Sounding> {
        self.forget_what_ended(now);
        self.voices.iter().map(|voice| voice.sounding.clone()).collect()
    }

    /// Looks after the room. Returns what everyone is to be told now of who is here, if anything.
    pub fn tick(&mut self, now: RelayTime) -> Option<RosterChange> {
        self.follow_needs(now);
        self.forget_what_ended(now);
        self.told.change_to(self.roster(), now)
    }

    /// Who is here.
    #[must_use]
    pub fn roster(&self) -> Roster {
        let listed = self.members.iter().take(ROSTER_ENTRIES);
        Roster {
            total: self.members.len() as u32,
            clients: listed.map(|(id, member)| member.entry(*id)).collect(),
            lead_micros: self.lead.micros(),
        }
    }

    /// What one who has just come is told of who is here: what everyone knows, so that the next
    /// change is one for it too, and itself.
    #[must_use]
    pub fn roster_for(&self, id: ClientId) -> Roster {
        let mut roster = self.told.roster().clone();
        roster.update(self.change_of(id));
        roster
    }

    /// What a client is told of itself, unless everyone is told of it.
    #[must_use]
    pub fn news_of_itself(&self, id: ClientId) -> Option<RosterChange> {
        let is_listed = self.members.keys().take(ROSTER_ENTRIES).any(|listed| *listed == id);
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

    fn follow_needs(&mut self, now: RelayTime) {
        let (mut who, mut players) = (Vec::new(), Vec::new());
        for member in self.members.values_mut() {
            if let Some(need) = member.need() {
                let (listens_only, straggler) = (member.listens_only(), member.straggler);
                players.push(Player { need, listens_only, straggler });
                who.push(member);
            }
        }
        self.lead.follow(now, &mut players);
        for (member, player) in who.into_iter().zip(players) {
            member.straggler = player.straggler;
        }
    }

    fn number(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// The instant of what is said now. It is never before that of what was said before, however the
    /// lead has fallen.
    fn stamp(&mut self, now: RelayTime) -> RelayTime {
        let at = now.plus_micros(u64::from(self.lead.micros()));
        self.last_stamp = self.last_stamp.max(at);
        self.last_stamp
    }

    /// Notes that a bang was not told to the seed's wire, because nobody was there: who comes before
    /// `play_at` is to sound with the others.
    pub fn leave_untold(&mut self, play_at: RelayTime, now: RelayTime) {
        self.forget_untold(now);
        if self.untold.len() == DUE_FRAMES {
            self.untold.pop_front();
        }
        self.untold.push_back(play_at);
    }

    /// The instants at which one is still to sound who comes to the seed's wire at `now`. Those who
    /// come later hear what is then on its way to all of that wire.
    pub fn take_untold(&mut self, now: RelayTime) -> Vec<RelayTime> {
        self.forget_untold(now);
        std::mem::take(&mut self.untold).into()
    }

    fn forget_untold(&mut self, now: RelayTime) {
        // In the order of their instants, because those never go back.
        while self.untold.front().is_some_and(|at| *at <= now) {
            self.untold.pop_front();
        }
    }

    fn forget_what_ended(&mut self, now: RelayTime) {
        self.voices.retain(|voice| {
            now < voice.ends_at && voice.sounding.stop_at.is_none_or(|stop_at| now < stop_at)
        });
    }
}

#[cfg(test)]
mod tests;
