//! The lead: how far ahead of its sound a trigger is sent.
//!
//! As small as the room allows. Each player says what it needs; the lead is the largest of these
//! within its bounds. It rises at once, because a trigger that comes too late cannot be mended,
//! and falls slowly, because what was needed a moment ago may be needed again, and because the
//! fall must never let a later bang overtake an earlier one.
//!
//! Pure: told what time it is, and by [`Room`](crate::room::Room) what the players need.

use downbeat_protocol::RelayTime;

/// The lead while no player has said what it needs: a desktop player on a wireless network needs
/// about this much. Whoever plays says so within a second of its hello, and the first to say it
/// sets the lead outright.
const UNKNOWN_MICROS: u32 = 50_000;

/// The fall, as a share of the lead a second. From the upper bound of half a second this is 25 ms
/// a second, so that `now + lead` still runs forward at 97 % of the clock's pace.
const FALL_PER_SECOND: f64 = 0.05;

/// Below this many players nobody is called an outlier: of two, who is to say which is the rule?
const JUDGED_FROM: usize = 4;

/// An outlier needs this many times what the player in the middle of the room needs ...
const OUTLIER_TIMES: u32 = 4;

/// ... and this much more than it, in microseconds. Up to here, waiting costs less than it gives:
/// a bang and its sound still belong together, and a short sound that is joined in the middle is
/// not heard at all.
const OUTLIER_MICROS: u32 = 150_000;

/// Outliers are at most one in this many players. A quarter of the room is not an exception.
const ONE_IN: usize = 4;

/// A straggler is waited for again when its need is below this share of what made it one; without
/// a gap it would come and go with every report.
const PARDON: f64 = 0.8;

/// Longest lead that a player gets the room who may only listen, in microseconds: as much as a machine
/// may need beyond the others and still be waited for. Its word must not keep those who bang from
/// hearing what they play.
const MAX_LISTENER_MICROS: u32 = OUTLIER_MICROS;

/// A player's need, and whether the room waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Player {
    /// The lead it needs to start every sound on time, in microseconds.
    pub need: u32,
    /// It may not bang.
    pub listens_only: bool,
    /// It needs more than the room waits for.
    pub straggler: bool,
}

/// The lead of a room.
#[derive(Clone, Debug)]
pub struct Lead {
    least: u32,
    most: u32,
    micros: f64,
    at: RelayTime,
    known: bool,
}

impl Lead {
    /// A lead between `least` and `most` microseconds, in a room of which nothing is known.
    #[must_use]
    pub fn new(least: u32, most: u32) -> Self {
        let most = most.max(least);
        let micros = f64::from(UNKNOWN_MICROS.clamp(least, most));
        Self { least, most, micros, at: RelayTime::from_micros(0), known: false }
    }

    /// The lead, in microseconds.
    #[must_use]
    pub fn micros(&self) -> u32 {
        self.micros.ceil() as u32
    }

    /// The least it can be, in microseconds.
    #[must_use]
    pub fn least(&self) -> u32 {
        self.least
    }

    /// The most it can be, in microseconds.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.most
    }

    /// Says of each player whether it is a straggler, and follows the others' needs to `now`.
    pub fn follow(&mut self, now: RelayTime, players: &mut [Player]) {
        self.judge(players);
        let seconds = now.micros_since(self.at).max(0) as f64 / 1e6;
        self.at = now;
        let fallen = self.micros * (-FALL_PER_SECOND * seconds).exp();
        if players.is_empty() {
            // Who comes next may be quite unlike who was here; but a bang of theirs may still be
            // waiting for its instant.
            let unknown = f64::from(UNKNOWN_MICROS.clamp(self.least, self.most));
            self.known &= fallen > unknown;
            self.micros = if self.known { fallen } else { unknown };
            return;
        }
        let needs = players.iter().filter(|p| !p.straggler).map(|p| p.need).max();
        // With nobody but stragglers, the upper bound is the nearest to what they need.
        let need = needs.or_else(|| players.iter().map(|p| self.most_for(p.listens_only)).max());
        let need = f64::from(need.unwrap_or(self.most).clamp(self.least, self.most));
        self.micros = if self.known { need.max(fallen) } else { need };
        self.known = true;
    }

    /// The most that a player gets the room to wait for it.
    #[must_use]
    pub fn most_for(&self, listens_only: bool) -> u32 {
        if listens_only { self.most.min(MAX_LISTENER_MICROS) } else { self.most }
    }

    fn judge(&self, players: &mut [Player]) {
        let outliers_from = outlier_limit(players);
        for player in players {
            let limit = self.most_for(player.listens_only).min(outliers_from);
            let pardoned = (f64::from(limit) * PARDON) as u32;
            player.straggler =
                if player.straggler { player.need > pardoned } else { player.need > limit };
        }
    }
}

/// The need above which a player is an outlier among `players`, in microseconds. Who only listens has
/// no say in what is usual.
fn outlier_limit(players: &[Player]) -> u32 {
    let mut needs: Vec<u32> = players.iter().filter(|p| !p.listens_only).map(|p| p.need).collect();
    if needs.len() < JUDGED_FROM {
        return u32::MAX;
    }
    needs.sort_unstable();
    let middle = needs[(needs.len() - 1) / 2];
    let limit = middle.saturating_mul(OUTLIER_TIMES).max(middle.saturating_add(OUTLIER_MICROS));
    let beyond = needs.iter().filter(|need| **need > limit).count();
    if beyond * ONE_IN <= needs.len() { limit } else { u32::MAX }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u32 = 1000;

    fn players(needs: &[u32]) -> Vec<Player> {
        needs.iter().map(|&need| player(need)).collect()
    }

    fn player(need: u32) -> Player {
        Player { need, listens_only: false, straggler: false }
    }

    fn listener(need: u32) -> Player {
        Player { listens_only: true, ..player(need) }
    }

    fn at(seconds: f64) -> RelayTime {
        RelayTime::from_micros((seconds * 1e6).round() as u64)
    }

    fn lead() -> Lead {
        Lead::new(5 * MS, 500 * MS)
    }

    #[test]
    fn an_unknown_room_gets_a_lead_within_the_bounds() {
        assert_eq!(lead().micros(), 50 * MS);
        assert_eq!(Lead::new(5 * MS, 20 * MS).micros(), 20 * MS);
        assert_eq!(Lead::new(80 * MS, 500 * MS).micros(), 80 * MS);
    }

    #[test]
    fn the_first_need_sets_it_outright_and_a_larger_one_raises_it_at_once() {
        let mut lead = lead();
        lead.follow(at(1.0), &mut players(&[14 * MS]));
        assert_eq!(lead.micros(), 14 * MS);
        lead.follow(at(1.0), &mut players(&[14 * MS, 90 * MS]));
        assert_eq!(lead.micros(), 90 * MS);
    }

    #[test]
    fn it_falls_slowly_and_no_lower_than_what_is_needed() {
        let mut lead = lead();
        lead.follow(at(0.0), &mut players(&[200 * MS]));
        lead.follow(at(1.0), &mut players(&[20 * MS]));
        assert!((190 * MS..191 * MS).contains(&lead.micros()), "{}", lead.micros());
        lead.follow(at(200.0), &mut players(&[20 * MS]));
        assert_eq!(lead.micros(), 20 * MS);
    }

    #[test]
    fn its_bounds_hold() {
        let mut lead = lead();
        lead.follow(at(0.0), &mut players(&[0]));
        assert_eq!(lead.micros(), 5 * MS);
        let mut only_beyond = players(&[900 * MS]);
        lead.follow(at(1.0), &mut only_beyond);
        assert_eq!(lead.micros(), 500 * MS);
        assert!(only_beyond[0].straggler);
    }

    #[test]
    fn an_empty_room_forgets_no_faster_than_the_lead_falls() {
        let mut lead = lead();
        lead.follow(at(0.0), &mut players(&[200 * MS]));
        lead.follow(at(1.0), &mut []);
        assert!((190 * MS..191 * MS).contains(&lead.micros()), "{}", lead.micros());
        // One who comes meanwhile does not make it fall, either.
        lead.follow(at(2.0), &mut players(&[10 * MS]));
        assert!((180 * MS..182 * MS).contains(&lead.micros()), "{}", lead.micros());
        lead.follow(at(3.0), &mut []);
        lead.follow(at(60.0), &mut []);
        assert_eq!(lead.micros(), 50 * MS);
        lead.follow(at(61.0), &mut players(&[10 * MS]));
        assert_eq!(lead.micros(), 10 * MS, "of an unknown room nothing was promised");
    }

    #[test]
    fn one_who_only_listens_raises_the_lead_within_bounds() {
        let follow = |room: &mut Vec<Player>| {
            let mut lead = lead();
            lead.follow(at(0.0), &mut players(&[14 * MS]));
            lead.follow(at(0.0), room);
            lead.micros()
        };
        let mut room = vec![player(14 * MS), listener(120 * MS)];
        assert_eq!((follow(&mut room), room[1].straggler), (120 * MS, false));
        let mut room = vec![player(14 * MS), listener(151 * MS)];
        assert_eq!((follow(&mut room), room[1].straggler), (14 * MS, true));
        let mut room = vec![player(300 * MS), listener(250 * MS)];
        assert_eq!((follow(&mut room), room[1].straggler), (300 * MS, true));
        assert_eq!(follow(&mut vec![listener(900 * MS)]), 150 * MS);
        assert_eq!(Lead::new(5 * MS, 100 * MS).most_for(true), 100 * MS);
        // However many there are, they make no straggler of one who bangs.
        let mut room = players(&[14 * MS, 15 * MS, 300 * MS]);
        room.extend((0..20).map(|_| listener(MS)));
        assert_eq!((follow(&mut room), room[2].straggler), (300 * MS, false));
    }

    #[test]
    fn one_hopeless_straggler_does_not_slow_the_room() {
        let mut lead = lead();
        let mut room = players(&[14 * MS, 15 * MS, 900 * MS]);
        lead.follow(at(0.0), &mut room);
        assert_eq!(lead.micros(), 15 * MS);
        assert_eq!(room.iter().map(|p| p.straggler).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn an_outlier_is_one_far_beyond_a_room_that_is_large_enough_to_tell() {
        let straggles = |needs: &[u32]| {
            let mut room = players(needs);
            lead().follow(at(0.0), &mut room);
            room.last().unwrap().straggler
        };
        assert!(straggles(&[14 * MS, 15 * MS, 16 * MS, 300 * MS]));
        assert!(!straggles(&[14 * MS, 15 * MS, 300 * MS]), "too few to tell");
        assert!(!straggles(&[14 * MS, 15 * MS, 16 * MS, 120 * MS]), "worth waiting for");
        assert!(!straggles(&[80 * MS, 90 * MS, 100 * MS, 300 * MS]), "not that far beyond");
        assert!(!straggles(&[14 * MS, 15 * MS, 300 * MS, 300 * MS]), "half the room");
    }

    #[test]
    fn a_straggler_is_pardoned_with_a_gap() {
        let mut lead = lead();
        let mut room = vec![Player { straggler: true, ..player(450 * MS) }];
        lead.follow(at(0.0), &mut room);
        assert!(room[0].straggler);
        room[0].need = 390 * MS;
        lead.follow(at(1.0), &mut room);
        assert!(!room[0].straggler);
    }

    proptest! {
        #[test]
        fn a_later_bang_never_sounds_before_an_earlier_one(
            steps in prop::collection::vec((1_u64..5_000_000, prop::collection::vec(0_u32..2_000_000, 1..8)), 1..50),
        ) {
            let mut lead = lead();
            lead.follow(RelayTime::from_micros(0), &mut players(&[0]));
            let mut now = RelayTime::from_micros(0);
            let mut last = now.plus_micros(u64::from(lead.micros()));
            for (micros, needs) in steps {
                now = now.plus_micros(micros);
                lead.follow(now, &mut players(&needs));
                prop_assert!((5 * MS..=500 * MS).contains(&lead.micros()));
                let play_at = now.plus_micros(u64::from(lead.micros()));
                // One microsecond of rounding.
                prop_assert!(play_at.plus_micros(1) >= last);
                last = play_at;
            }
        }
    }
}
