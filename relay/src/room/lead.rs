//! The lead: how far ahead of its sound a trigger is sent.
//!
//! It is as small as the room allows: the largest lead that any player reports to need, within bounds. It
//! rises at once, because a late trigger cannot be repaired. It falls slowly, because a recent need may
//! return, and because a later trigger must never overtake an earlier one.
//!
//! Pure: the caller passes the time and what the players need.

use downbeat_protocol::RelayTime;

/// The lead before any player has reported: what a desktop player on a wireless network needs. Players
/// report within a second of their hello, and the first report sets the lead outright.
const UNKNOWN_MICROS: u32 = 50_000;

/// How fast the lead falls, as a fraction per second. At half a second this is 25 ms a second, so that
/// `now + lead` still advances at 97 % of the clock's rate.
const FALL_PER_SECOND: f64 = 0.05;

/// With fewer players nobody is an outlier: two do not show which of them is usual.
const MIN_PLAYERS_FOR_OUTLIERS: usize = 4;

/// An outlier needs this many times the median ...
const OUTLIER_FACTOR: u32 = 4;

/// ... and this much more than it, in microseconds. Below that it is better to wait: a bang and its sound
/// still belong together, and a short sound that is joined in the middle is not heard at all.
const OUTLIER_MICROS: u32 = 150_000;

/// At most one in this many players is an outlier.
const PLAYERS_PER_OUTLIER: usize = 4;

/// The room waits for a straggler again when its need is below this fraction of the limit. Without
/// hysteresis it would change with every report.
const STRAGGLER_HYSTERESIS: f64 = 0.8;

/// Longest lead that the room waits for a player that may only listen, in microseconds: as much as a
/// machine may need beyond the others without being an outlier. A listener must not delay the sounds of
/// those who play.
const MAX_LISTENER_MICROS: u32 = OUTLIER_MICROS;

/// What a player needs, and whether the room waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Player {
    /// The lead it needs to start every sound on time, in microseconds.
    pub(super) need: u32,
    /// It may not send triggers.
    pub(super) only_listens: bool,
    /// It needs more than the room waits for.
    pub(super) straggler: bool,
}

/// The lead of a room.
#[derive(Clone, Debug)]
pub(crate) struct Lead {
    min: u32,
    max: u32,
    micros: f64,
    at: RelayTime,
    /// Whether a player has reported a need.
    known: bool,
}

impl Lead {
    /// A lead between `min` and `max` microseconds, in a room without reports.
    pub(super) fn new(min: u32, max: u32) -> Self {
        let max = max.max(min);
        let micros = f64::from(UNKNOWN_MICROS.clamp(min, max));
        Self { min, max, micros, at: RelayTime::from_micros(0), known: false }
    }

    /// The lead, in microseconds.
    pub(crate) fn micros(&self) -> u32 {
        self.micros.ceil() as u32
    }

    /// The smallest lead, in microseconds.
    pub(super) fn min(&self) -> u32 {
        self.min
    }

    /// The largest lead, in microseconds.
    pub(super) fn max(&self) -> u32 {
        self.max
    }

    /// Updates which players are stragglers, and follows the needs of the others to `now`.
    pub(super) fn follow(&mut self, now: RelayTime, players: &mut [Player]) {
        self.mark_stragglers(players);
        let seconds = now.micros_since(self.at).max(0) as f64 / 1e6;
        self.at = now;
        let fallen = self.micros * (-FALL_PER_SECOND * seconds).exp();
        if players.is_empty() {
            // The next players may need quite another lead, but a trigger may still be waiting for its
            // instant.
            let unknown = f64::from(UNKNOWN_MICROS.clamp(self.min, self.max));
            self.known &= fallen > unknown;
            self.micros = if self.known { fallen } else { unknown };
            return;
        }
        let needs = players.iter().filter(|p| !p.straggler).map(|p| p.need).max();
        // With stragglers only, the upper bound is nearest to their needs.
        let need = needs.or_else(|| players.iter().map(|p| self.max_for(p.only_listens)).max());
        let need = f64::from(need.unwrap_or(self.max).clamp(self.min, self.max));
        self.micros = if self.known { need.max(fallen) } else { need };
        self.known = true;
    }

    /// The longest lead that the room waits for a player.
    pub(super) fn max_for(&self, only_listens: bool) -> u32 {
        if only_listens { self.max.min(MAX_LISTENER_MICROS) } else { self.max }
    }

    fn mark_stragglers(&self, players: &mut [Player]) {
        let outlier_limit = outlier_limit_of(players);
        for player in players {
            let limit = self.max_for(player.only_listens).min(outlier_limit);
            let lowered = (f64::from(limit) * STRAGGLER_HYSTERESIS) as u32;
            player.straggler =
                if player.straggler { player.need > lowered } else { player.need > limit };
        }
    }
}

/// The need above which a player is an outlier, in microseconds. Players that only listen do not count
/// towards the median.
fn outlier_limit_of(players: &[Player]) -> u32 {
    let mut needs: Vec<u32> = players.iter().filter(|p| !p.only_listens).map(|p| p.need).collect();
    if needs.len() < MIN_PLAYERS_FOR_OUTLIERS {
        return u32::MAX;
    }
    needs.sort_unstable();
    let median = needs[(needs.len() - 1) / 2];
    let limit = median.saturating_mul(OUTLIER_FACTOR).max(median.saturating_add(OUTLIER_MICROS));
    let beyond = needs.iter().filter(|need| **need > limit).count();
    if beyond * PLAYERS_PER_OUTLIER <= needs.len() { limit } else { u32::MAX }
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
        Player { need, only_listens: false, straggler: false }
    }

    fn listener(need: u32) -> Player {
        Player { only_listens: true, ..player(need) }
    }

    fn at(seconds: f64) -> RelayTime {
        RelayTime::from_micros((seconds * 1e6).round() as u64)
    }

    fn lead() -> Lead {
        Lead::new(5 * MS, 500 * MS)
    }

    #[test]
    fn before_any_report_the_lead_is_the_default_within_the_bounds() {
        assert_eq!(lead().micros(), 50 * MS);
        assert_eq!(Lead::new(5 * MS, 20 * MS).micros(), 20 * MS);
        assert_eq!(Lead::new(80 * MS, 500 * MS).micros(), 80 * MS);
    }

    #[test]
    fn the_first_need_sets_the_lead_and_a_larger_one_raises_it_at_once() {
        let mut lead = lead();
        lead.follow(at(1.0), &mut players(&[14 * MS]));
        assert_eq!(lead.micros(), 14 * MS);
        lead.follow(at(1.0), &mut players(&[14 * MS, 90 * MS]));
        assert_eq!(lead.micros(), 90 * MS);
    }

    #[test]
    fn the_lead_falls_slowly_and_not_below_the_need() {
        let mut lead = lead();
        lead.follow(at(0.0), &mut players(&[200 * MS]));
        lead.follow(at(1.0), &mut players(&[20 * MS]));
        assert!((190 * MS..191 * MS).contains(&lead.micros()), "{}", lead.micros());
        lead.follow(at(200.0), &mut players(&[20 * MS]));
        assert_eq!(lead.micros(), 20 * MS);
    }

    #[test]
    fn the_lead_stays_within_its_bounds() {
        let mut lead = lead();
        lead.follow(at(0.0), &mut players(&[0]));
        assert_eq!(lead.micros(), 5 * MS);
        let mut only_beyond = players(&[900 * MS]);
        lead.follow(at(1.0), &mut only_beyond);
        assert_eq!(lead.micros(), 500 * MS);
        assert!(only_beyond[0].straggler);
    }

    #[test]
    fn in_an_empty_room_the_lead_falls_no_faster() {
        let mut lead = lead();
        lead.follow(at(0.0), &mut players(&[200 * MS]));
        lead.follow(at(1.0), &mut []);
        assert!((190 * MS..191 * MS).contains(&lead.micros()), "{}", lead.micros());
        // A new player does not make it fall faster, either.
        lead.follow(at(2.0), &mut players(&[10 * MS]));
        assert!((180 * MS..182 * MS).contains(&lead.micros()), "{}", lead.micros());
        lead.follow(at(3.0), &mut []);
        lead.follow(at(60.0), &mut []);
        assert_eq!(lead.micros(), 50 * MS);
        lead.follow(at(61.0), &mut players(&[10 * MS]));
        assert_eq!(lead.micros(), 10 * MS, "nothing was promised before the first report");
    }

    #[test]
    fn a_listener_raises_the_lead_up_to_its_own_limit() {
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
        assert_eq!(Lead::new(5 * MS, 100 * MS).max_for(true), 100 * MS);
        // Any number of listeners makes no straggler of a player.
        let mut room = players(&[14 * MS, 15 * MS, 300 * MS]);
        room.extend((0..20).map(|_| listener(MS)));
        assert_eq!((follow(&mut room), room[2].straggler), (300 * MS, false));
    }

    #[test]
    fn a_player_beyond_the_bound_does_not_raise_the_lead() {
        let mut lead = lead();
        let mut room = players(&[14 * MS, 15 * MS, 900 * MS]);
        lead.follow(at(0.0), &mut room);
        assert_eq!(lead.micros(), 15 * MS);
        assert_eq!(room.iter().map(|p| p.straggler).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn an_outlier_is_far_beyond_the_median_of_four_or_more() {
        let straggles = |needs: &[u32]| {
            let mut room = players(needs);
            lead().follow(at(0.0), &mut room);
            room.last().unwrap().straggler
        };
        assert!(straggles(&[14 * MS, 15 * MS, 16 * MS, 300 * MS]));
        assert!(!straggles(&[14 * MS, 15 * MS, 300 * MS]), "too few players");
        assert!(!straggles(&[14 * MS, 15 * MS, 16 * MS, 120 * MS]), "worth waiting for");
        assert!(
            !straggles(&[80 * MS, 90 * MS, 100 * MS, 300 * MS]),
            "less than four times the median"
        );
        assert!(!straggles(&[14 * MS, 15 * MS, 300 * MS, 300 * MS]), "half the room");
    }

    #[test]
    fn a_straggler_is_waited_for_again_with_hysteresis() {
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
        fn a_later_trigger_never_sounds_before_an_earlier_one(
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
