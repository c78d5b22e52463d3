//! The room: what its triggers are numbered and stamped with, what is sounding, who is here.
//!
//! Pure: told what time it is, and does no I/O. [`Relay`](crate::relay::Relay) holds the one room
//! there is behind a lock, and says what comes out of it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use downbeat_protocol::{
    By, ClientId, ClientKind, ROSTER_ENTRIES, RelayTime, Report, Roster, RosterEntry, Sounding,
    Stop, StopRequest, Trigger, TriggerRequest,
};

use crate::{
    access::Role,
    clients::Wire,
    config::{
        DUE_FRAMES, JUDGEMENTS_PER_SECOND, REPORTS_ROSTER_EVERY, ROSTER_EVERY_PER_CLIENT, SOUNDING,
    },
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
}

/// A trigger that was said and has not ended.
#[derive(Clone, Debug)]
struct Voice {
    sounding: Sounding,
    ends_at: RelayTime,
}

/// What has changed since the last roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Nothing,
    /// Only reports, or the lead.
    Reports,
    /// Who is here, or who is waited for.
    People,
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
    news: News,
    last_roster: Option<(RelayTime, Roster)>,
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
            news: News::Nothing,
            last_roster: None,
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
        self.news = News::People;
    }

    /// Lets a client go; `None` if it had not been admitted.
    pub fn leave(&mut self, id: ClientId) -> Option<Member> {
        let member = self.members.remove(&id)?;
        self.plain -= usize::from(member.kind == ClientKind::Plain);
        self.players -= usize::from(member.need().is_some());
        self.news = News::People;
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
        self.news = self.news.max(News::Reports);
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

    /// Looks after the room. Returns the roster if everyone is to be told it now.
    pub fn tick(&mut self, now: RelayTime) -> Option<Roster> {
        self.follow_needs(now);
        self.forget_what_ended(now);
        let pace = ROSTER_EVERY_PER_CLIENT * self.members.len() as u32;
        let pace = match self.news {
            News::Nothing => return None,
            News::Reports => REPORTS_ROSTER_EVERY.max(pace),
            News::People => pace,
        };
        if let Some((at, _)) = &self.last_roster
            && now.micros_since(*at) < micros(pace)
        {
            return None;
        }
        self.news = News::Nothing;
        let roster = self.roster();
        if self.last_roster.as_ref().is_some_and(|(_, last)| *last == roster) {
            return None;
        }
        self.last_roster = Some((now, roster.clone()));
        Some(roster)
    }

    /// Who is here.
    #[must_use]
    pub fn roster(&self) -> Roster {
        let entry = |(&id, member): (&ClientId, &Member)| RosterEntry {
            id,
            name: member.name.clone(),
            kind: member.kind,
            report: member.report.clone(),
            straggler: member.straggler,
        };
        Roster {
            total: self.members.len() as u32,
            clients: self.members.iter().take(ROSTER_ENTRIES).map(entry).collect(),
            lead_micros: self.lead.micros(),
        }
    }

    fn follow_needs(&mut self, now: RelayTime) {
        let lead_before = self.lead.micros();
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
            if member.straggler != player.straggler {
                member.straggler = player.straggler;
                self.news = News::People;
            }
        }
        if self.lead.micros() != lead_before {
            self.news = self.news.max(News::Reports);
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

fn micros(duration: Duration) -> i64 {
    duration.as_micros() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn at(seconds: f64) -> RelayTime {
        RelayTime::from_micros((seconds * 1e6).round() as u64)
    }

    fn room() -> Room {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        room.enter(ClientId(1), Member::new("one".into(), ClientKind::Window));
        room
    }

    fn by() -> By {
        By { id: ClientId(1), name: "one".into() }
    }

    fn bang(room: &mut Room, sound: &str, now: f64) -> Trigger {
        room.trigger(TriggerRequest::default(), sound, SECOND, by(), at(now))
    }

    fn needs(lead_micros: u32) -> Report {
        Report { lead_micros: Some(lead_micros), ..Report::default() }
    }

    #[test]
    fn triggers_and_stops_share_one_count_from_one() {
        let mut room = room();
        assert_eq!(bang(&mut room, "bell", 1.0).seq, 1);
        assert_eq!(room.stop(StopRequest::default(), by(), at(1.0)).seq, 2);
        assert_eq!(bang(&mut room, "bell", 1.0).seq, 3);
    }

    #[test]
    fn one_who_needs_more_and_more_is_soon_followed_by_the_tick_only() {
        let mut room = room();
        let followed = |room: &mut Room, lead_micros, now| {
            room.report(ClientId(1), needs(lead_micros), at(now));
            room.lead().micros() == lead_micros
        };
        let count = (10_000..20_000).filter(|need| followed(&mut room, *need, 1.0)).count();
        assert_eq!(count as u32, 4 * JUDGEMENTS_PER_SECOND);
        room.tick(at(1.25));
        assert_eq!(room.lead().micros(), 19_999);
        assert!(followed(&mut room, 30_000, 2.0), "one who needs more now and then is waited for");
    }

    #[test]
    fn only_one_who_says_what_lead_it_needs_counts_as_a_player() {
        let mut room = room();
        assert!(!room.has_players() && room.has(Wire::Modern) && !room.has(Wire::Seed));
        room.enter(ClientId(2), Member::new("plain client 2".into(), ClientKind::Plain));
        room.enter(ClientId(3), Member::new("page".into(), ClientKind::Page));
        assert!(!room.has_players() && room.has(Wire::Seed));
        assert_eq!(room.count_by_wire(), (1, 2));
        // A page before its first touch knows the time, and has no output.
        room.report(
            ClientId(3),
            Report { clock_error_micros: Some(30), ..Report::default() },
            at(1.0),
        );
        assert!(!room.has_players());
        room.report(ClientId(1), needs(14_000), at(2.0));
        room.report(ClientId(1), needs(15_000), at(2.5));
        room.report(ClientId(3), needs(900_000), at(3.0));
        assert!(room.has_players());
        // One whose output was pulled out is none any more.
        room.report(ClientId(1), Report::default(), at(4.0));
        assert!(room.has_players(), "the straggler sounds too");
        room.leave(ClientId(3));
        assert!(!room.has_players());
        room.leave(ClientId(1));
        room.leave(ClientId(2));
        assert!(!room.has(Wire::Seed) && !room.has(Wire::Modern));
    }

    #[test]
    fn a_bang_is_stamped_with_now_and_the_lead() {
        let mut room = room();
        room.report(ClientId(1), needs(14_000), at(0.5));
        assert_eq!(bang(&mut room, "bell", 1.0).play_at, RelayTime::from_micros(1_014_000));
    }

    #[test]
    fn a_bang_in_an_emptied_room_does_not_overtake_that_of_one_who_left() {
        let mut room = room();
        room.report(ClientId(1), needs(500_000), at(1.0));
        let slow = bang(&mut room, "bell", 1.0).play_at;
        room.leave(ClientId(1));
        room.tick(at(1.1));
        assert!(room.lead().micros() > 490_000, "it falls no faster than in a room of many");
        assert!(bang(&mut room, "bell", 1.1).play_at > slow);
    }

    proptest! {
        #[test]
        fn an_instant_never_goes_back(
            steps in prop::collection::vec(
                (0_u64..300_000, 1_u32..5, 0_u32..900_000, 0_u8..5),
                1..200,
            ),
        ) {
            let mut room = Room::new(Lead::new(5_000, 500_000));
            let mut now = RelayTime::from_micros(0);
            let mut last = now;
            for (micros, id, need, what) in steps {
                now = now.plus_micros(micros);
                let id = ClientId(id);
                match what {
                    0 => room.enter(id, Member::new("one".into(), ClientKind::Window)),
                    1 => drop(room.leave(id)),
                    2 => room.report(id, needs(need), now),
                    3 => drop(room.tick(now)),
                    _ => {
                        let stamp = if need % 2 == 0 {
                            let request = TriggerRequest::default();
                            room.trigger(request, "bell", SECOND, by(), now).play_at
                        } else {
                            room.stop(StopRequest::default(), by(), now).stop_at
                        };
                        prop_assert!(stamp >= last && stamp >= now);
                        last = stamp;
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_told_to_nobody_is_told_once_and_before_its_instant() {
        let mut room = room();
        let micros = RelayTime::from_micros;
        for play_at in [10, 20, 30] {
            room.leave_untold(micros(play_at), micros(5));
        }
        assert_eq!(room.take_untold(micros(10)), [micros(20), micros(30)]);
        assert_eq!(room.take_untold(micros(10)), []);
        for play_at in 0..DUE_FRAMES as u64 + 2 {
            room.leave_untold(micros(100 + play_at), micros(5));
        }
        assert_eq!(room.take_untold(micros(10))[0], micros(102), "the earliest is forgotten");
    }

    #[test]
    fn one_that_makes_no_sound_needs_no_lead() {
        let mut room = room();
        room.report(ClientId(1), needs(14_000), at(1.0));
        room.enter(ClientId(2), Member::new("script".into(), ClientKind::Remote));
        room.report(ClientId(2), needs(400_000), at(1.0));
        room.tick(at(1.25));
        assert_eq!(room.lead().micros(), 14_000);
    }

    #[test]
    fn one_that_may_only_listen_gets_a_bounded_lead() {
        let mut room = room();
        room.report(ClientId(1), needs(14_000), at(1.0));
        let listener = Member::new("hall".into(), ClientKind::Page);
        room.enter(ClientId(2), Member { role: Role::Listen, ..listener });
        room.report(ClientId(2), needs(100_000), at(1.0));
        assert_eq!(room.lead().micros(), 100_000);
        room.report(ClientId(2), needs(400_000), at(1.0));
        room.tick(at(1.0));
        assert_eq!(room.lead().micros(), 100_000);
        assert!(room.members()[&ClientId(2)].straggler);
    }

    #[test]
    fn a_sound_is_told_to_newcomers_until_it_ends() {
        let mut room = room();
        let bell = bang(&mut room, "bell", 1.0);
        assert_eq!(room.sounding(at(1.9)), [Sounding { trigger: bell, stop_at: None }]);
        // It began a lead of 50 ms after the bang.
        assert_eq!(room.sounding(at(2.04)).len(), 1);
        assert_eq!(room.sounding(at(2.05)), []);
    }

    #[test]
    fn a_stop_is_told_until_it_is_silent() {
        let mut room = room();
        bang(&mut room, "bell", 1.0);
        bang(&mut room, "kick", 1.0);
        let wish = StopRequest { sound: Some("bell".into()), trigger: None };
        let stop = room.stop(wish, by(), at(1.5));
        let sounding = room.sounding(at(1.5));
        assert_eq!(sounding[0].stop_at, Some(stop.stop_at));
        assert_eq!(sounding[1].stop_at, None);
        // A second stop does not put off the first.
        room.stop(StopRequest::default(), by(), at(1.52));
        assert_eq!(room.sounding(at(1.52))[0].stop_at, Some(stop.stop_at));
        assert_eq!(room.sounding(stop.stop_at).len(), 1);
    }

    #[test]
    fn no_more_is_remembered_than_a_player_has_voices() {
        let mut room = room();
        for _ in 0..SOUNDING + 10 {
            bang(&mut room, "bell", 1.0);
        }
        let sounding = room.sounding(at(1.0));
        assert_eq!(sounding.len(), SOUNDING);
        assert_eq!(sounding[0].trigger.seq, 11);
    }

    #[test]
    fn a_roster_is_said_only_when_something_changed() {
        let mut room = room();
        assert_eq!(room.tick(at(1.0)).unwrap().total, 1);
        assert_eq!(room.tick(at(2.0)), None);
        room.enter(ClientId(2), Member::new("two".into(), ClientKind::Plain));
        assert_eq!(room.tick(at(2.25)).unwrap().total, 2);
        // Someone came and went between two ticks: nobody needs to know.
        room.enter(ClientId(3), Member::new("three".into(), ClientKind::Plain));
        room.leave(ClientId(3));
        assert_eq!(room.tick(at(2.5)), None);
    }

    #[test]
    fn reports_alone_are_said_every_two_seconds() {
        let mut room = room();
        room.report(ClientId(1), needs(14_000), at(0.5));
        assert!(room.tick(at(1.0)).is_some());
        room.report(ClientId(1), Report { triggers: 1, ..needs(14_000) }, at(1.1));
        assert_eq!(room.tick(at(2.75)), None);
        assert_eq!(room.tick(at(3.0)).unwrap().clients[0].report.as_ref().unwrap().triggers, 1);
        // The same again is no news.
        room.report(ClientId(1), Report { triggers: 1, ..needs(14_000) }, at(4.0));
        assert_eq!(room.tick(at(10.0)), None);
    }

    #[test]
    fn a_large_room_is_told_less_often_and_not_everything() {
        let mut room = room();
        for id in 2..=1000 {
            room.enter(ClientId(id), Member::new(format!("m{id}"), ClientKind::Headless));
        }
        let roster = room.tick(at(1.0)).unwrap();
        assert_eq!((roster.total, roster.clients.len()), (1000, ROSTER_ENTRIES));
        room.leave(ClientId(1000));
        assert_eq!(room.tick(at(1.25)), None);
        assert!(room.tick(at(2.0)).is_some());
    }

    #[test]
    fn a_straggler_is_told_apart_and_forgotten_when_it_leaves() {
        let mut room = room();
        room.enter(ClientId(2), Member::new("two".into(), ClientKind::Page));
        room.report(ClientId(1), needs(14_000), at(1.0));
        room.report(ClientId(2), needs(900_000), at(1.0));
        assert_eq!(room.lead().micros(), 14_000);
        assert!(room.roster().clients[1].straggler);
        room.leave(ClientId(1));
        room.tick(at(1.25));
        assert_eq!(room.lead().micros(), 500_000, "only it is left to wait for");
    }
}
