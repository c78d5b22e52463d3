//! What was asked of machines and is not reported by them yet. It is shown meanwhile, so that a fader does not
//! jump back; and a moved fader is thinned.
//!
//! Pure: it is told the time.

use std::{collections::HashMap, time::Duration};

use downbeat_protocol::Place;

use super::machine::Key;
use crate::time::LocalTime;

/// How long a wish is shown that the machine does not report: machines report every two seconds, and the relay
/// passes changes of what can be wished on at once. Then what the machine reports is shown, which someone else may
/// have wished.
const PATIENCE_NANOS: i64 = 4_000_000_000;

/// Volumes that differ by less are the same: a machine keeps a factor, and reports it in dB. Tenths are set.
const SAME_DB: f32 = 0.05;

/// Extra latencies that differ by less are the same: machines keep tenths of a millisecond.
const SAME_MICROS: u32 = 100;

/// The shortest time between two volumes that are sent: ten a second, because each may be for hundreds of
/// machines.
const GAP_NANOS: i64 = 100_000_000;

/// What was asked of machines.
#[derive(Clone, Debug, Default)]
pub(in crate::ui) struct Wishes {
    /// As many as machines were changed within [`PATIENCE_NANOS`].
    wishes: HashMap<Key, Wish>,
    volume: Volume,
}

/// What was asked of one machine.
#[derive(Clone, Debug, Default)]
struct Wish {
    volume_db: Option<Wished<f32>>,
    muted: Option<Wished<bool>>,
    extra_latency_micros: Option<Wished<i32>>,
    place: Option<Wished<Place>>,
}

impl Wish {
    /// Since when the oldest of its parts is wished.
    fn oldest(&self) -> Option<LocalTime> {
        let Self { volume_db, muted, extra_latency_micros, place } = self;
        let times = [
            volume_db.map(|wish| wish.at),
            muted.map(|wish| wish.at),
            extra_latency_micros.map(|wish| wish.at),
            place.map(|wish| wish.at),
        ];
        times.into_iter().flatten().min()
    }
}

#[derive(Clone, Copy, Debug)]
struct Wished<T> {
    value: T,
    at: LocalTime,
}

/// The volume that a hand moves.
#[derive(Clone, Debug, Default)]
struct Volume {
    /// What has yet to be sent, and to which machines.
    unsent: Option<(Vec<Key>, f32)>,
    sent_at: Option<LocalTime>,
}

/// What can be wished, and comes back as it was kept.
trait Wishable: Copy {
    /// Whether that is what was wished.
    fn is_same(self, reported: Self) -> bool;
}

impl Wishable for f32 {
    fn is_same(self, reported: Self) -> bool {
        (self - reported).abs() < SAME_DB
    }
}

impl Wishable for i32 {
    fn is_same(self, reported: Self) -> bool {
        self.abs_diff(reported) < SAME_MICROS
    }
}

impl Wishable for bool {
    fn is_same(self, reported: Self) -> bool {
        self == reported
    }
}

impl Wishable for Place {
    fn is_same(self, reported: Self) -> bool {
        self == reported
    }
}

impl<T: Wishable> Wished<T> {
    fn is_current(&self, now: LocalTime) -> bool {
        now.nanos_since(self.at) < PATIENCE_NANOS
    }

    /// What to show where the machine reports this.
    fn shown(wish: Option<Self>, reported: Option<T>, now: LocalTime) -> Option<T> {
        match wish {
            Some(wish) if wish.is_current(now) => Some(wish.value),
            _ => reported,
        }
    }
}

impl Wishes {
    /// Sets the volume of machines. [`Wishes::due`] returns it when it is to be sent.
    pub(super) fn set_volume(&mut self, keys: &[Key], volume_db: f32, now: LocalTime) {
        for key in keys {
            self.of(*key).volume_db = Some(Wished { value: volume_db, at: now });
        }
        self.volume.unsent = Some((keys.to_vec(), volume_db));
    }

    /// The volume that is to be sent now, or how long it is until it is.
    pub(super) fn due(&mut self, now: LocalTime) -> Result<(Vec<Key>, f32), Option<Duration>> {
        let Some(unsent) = self.volume.unsent.take() else { return Err(None) };
        let age = self.volume.sent_at.map_or(i64::MAX, |sent| now.nanos_since(sent));
        if age < GAP_NANOS {
            self.volume.unsent = Some(unsent);
            return Err(Some(Duration::from_nanos((GAP_NANOS - age).unsigned_abs())));
        }
        self.volume.sent_at = Some(now);
        Ok(unsent)
    }

    /// Gives up the volume that has yet to be sent: sent later, it would take the place of newer ones.
    pub(super) fn drop_unsent(&mut self) {
        for key in self.volume.unsent.take().into_iter().flat_map(|(keys, _)| keys) {
            if let Some(wish) = self.wishes.get_mut(&key) {
                wish.volume_db = None;
            }
        }
    }

    pub(super) fn set_muted(&mut self, keys: &[Key], muted: bool, now: LocalTime) {
        for key in keys {
            self.of(*key).muted = Some(Wished { value: muted, at: now });
        }
    }

    pub(super) fn set_extra_latency(&mut self, keys: &[Key], micros: i32, now: LocalTime) {
        for key in keys {
            self.of(*key).extra_latency_micros = Some(Wished { value: micros, at: now });
        }
    }

    pub(super) fn set_place(&mut self, key: Key, place: Place, now: LocalTime) {
        self.of(key).place = Some(Wished { value: place, at: now });
    }

    pub(super) fn volume(&self, key: Key, reported: Option<f32>, now: LocalTime) -> Option<f32> {
        Wished::shown(self.get(key).and_then(|wish| wish.volume_db), reported, now)
    }

    pub(super) fn muted(&self, key: Key, reported: Option<bool>, now: LocalTime) -> Option<bool> {
        Wished::shown(self.get(key).and_then(|wish| wish.muted), reported, now)
    }

    pub(super) fn extra_latency(
        &self,
        key: Key,
        reported: Option<i32>,
        now: LocalTime,
    ) -> Option<i32> {
        Wished::shown(self.get(key).and_then(|wish| wish.extra_latency_micros), reported, now)
    }

    pub(super) fn place(&self, key: Key, kept: Option<Place>, now: LocalTime) -> Option<Place> {
        Wished::shown(self.get(key).and_then(|wish| wish.place), kept, now)
    }

    /// Drops what came true and what is not shown any longer. Returns how long all of the rest is shown.
    pub(super) fn forget_old(
        &mut self,
        now: LocalTime,
        reported: impl Fn(Key) -> Reported,
    ) -> Option<Duration> {
        self.wishes.retain(|key, wish| {
            let known = reported(*key);
            drop_old(&mut wish.volume_db, known.volume_db, now);
            drop_old(&mut wish.muted, known.muted, now);
            drop_old(&mut wish.extra_latency_micros, known.extra_latency_micros, now);
            drop_old(&mut wish.place, known.place, now);
            let Wish { volume_db, muted, extra_latency_micros, place } = wish;
            volume_db.is_some()
                || muted.is_some()
                || extra_latency_micros.is_some()
                || place.is_some()
        });
        let oldest = self.wishes.values().filter_map(Wish::oldest).min()?;
        let left = (PATIENCE_NANOS - now.nanos_since(oldest)).max(0);
        Some(Duration::from_nanos(left.unsigned_abs()))
    }

    fn of(&mut self, key: Key) -> &mut Wish {
        self.wishes.entry(key).or_default()
    }

    fn get(&self, key: Key) -> Option<&Wish> {
        self.wishes.get(&key)
    }
}

/// What is known of a machine, of what can be wished.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reported {
    pub(super) volume_db: Option<f32>,
    pub(super) muted: Option<bool>,
    pub(super) extra_latency_micros: Option<i32>,
    pub(super) place: Option<Place>,
}

fn drop_old<T: Wishable>(wish: &mut Option<Wished<T>>, reported: Option<T>, now: LocalTime) {
    let is_true = |wish: &Wished<T>| reported.is_some_and(|reported| wish.value.is_same(reported));
    *wish = wish.filter(|wish| wish.is_current(now) && !is_true(wish));
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "values are handed on as they are")]
mod tests {
    use downbeat_protocol::ClientId;

    use super::*;

    const HARP: Key = Key::Client(ClientId(7));

    fn at(millis: i64) -> LocalTime {
        LocalTime::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_wish_is_shown_until_it_is_reported_or_given_up() {
        let mut wishes = Wishes::default();
        wishes.set_muted(&[HARP], true, at(0));
        wishes.set_volume(&[HARP], -6.0, at(0));
        assert_eq!(wishes.muted(HARP, Some(false), at(100)), Some(true));
        assert_eq!(wishes.volume(HARP, None, at(100)), Some(-6.0));

        let reported = Reported { muted: Some(true), ..Reported::default() };
        let left = wishes.forget_old(at(200), |_| reported);
        assert_eq!(left, Some(Duration::from_millis(3_800)));
        assert_eq!(wishes.muted(HARP, Some(false), at(300)), Some(false), "it was reported");
        assert_eq!(wishes.volume(HARP, Some(0.0), at(300)), Some(-6.0), "that was not");
        assert_eq!(wishes.volume(HARP, Some(0.0), at(4_000)), Some(0.0), "it is given up");
        assert_eq!(wishes.forget_old(at(4_000), |_| Reported::default()), None);
        assert!(wishes.wishes.is_empty());
    }

    #[test]
    fn a_volume_has_come_true_as_the_machine_rounds_it() {
        for tenth in 0..=600_u16 {
            let volume_db = -f32::from(tenth) / 10.0;
            // A machine keeps a factor.
            let factor = 10.0_f32.powf(volume_db / 20.0);
            let reported =
                Reported { volume_db: Some(20.0 * factor.log10()), ..Reported::default() };
            let mut wishes = Wishes::default();
            wishes.set_volume(&[HARP], volume_db, at(0));
            assert_eq!(wishes.forget_old(at(1), |_| reported), None, "{volume_db} dB");
            wishes.set_volume(&[HARP], volume_db + 0.1, at(0));
            assert!(wishes.forget_old(at(1), |_| reported).is_some(), "{volume_db} dB");
        }
    }

    #[test]
    fn a_volume_that_is_not_sent_in_time_is_given_up() {
        let mut wishes = Wishes::default();
        wishes.set_volume(&[HARP], -3.0, at(0));
        assert!(wishes.due(at(0)).is_ok());
        wishes.set_volume(&[HARP], -6.0, at(50));
        wishes.set_muted(&[HARP], true, at(50));
        wishes.drop_unsent();
        assert_eq!(wishes.due(at(1000)), Err(None));
        assert_eq!(wishes.volume(HARP, Some(-3.0), at(1000)), Some(-3.0));
        assert_eq!(wishes.muted(HARP, Some(false), at(1000)), Some(true), "that was sent");
    }

    #[test]
    fn a_moved_volume_is_sent_ten_times_a_second_and_always_the_last_one() {
        let mut wishes = Wishes::default();
        let mut sent = Vec::new();
        for step in 0..50 {
            let now = at(step * 10);
            wishes.set_volume(&[HARP], -(step as f32), now);
            if let Ok((_, volume)) = wishes.due(now) {
                sent.push(volume);
            }
        }
        assert_eq!(sent, [0.0, -10.0, -20.0, -30.0, -40.0]);
        assert_eq!(wishes.due(at(490)), Err(Some(Duration::from_millis(10))));
        assert_eq!(wishes.due(at(500)), Ok((vec![HARP], -49.0)));
        assert_eq!(wishes.due(at(600)), Err(None));
    }
}
