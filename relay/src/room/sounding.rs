//! What is sounding, or waits to sound: a newcomer joins it.
//!
//! Pure: the caller passes the time.

use std::collections::VecDeque;

use downbeat_protocol::{RelayTime, Sounding, Stop, Trigger};

use super::listed;

/// Most triggers that are remembered. A player mixes 64 voices: a newcomer could join no more.
pub(super) const MAX_SOUNDING: usize = 64;

/// Largest sum of what is remembered, in bytes of JSON. A trigger has a few hundred, and up to 16 KiB with data or a
/// long target; all of it is in each welcome, which must leave space in the outbox.
const MAX_SOUNDING_BYTES: usize = 128 * 1024;

/// A trigger that has not ended.
#[derive(Clone, Debug)]
struct Voice {
    sounding: Sounding,
    /// The length of the trigger in JSON.
    bytes: usize,
    /// `None` if it sounds until a stop.
    ends_at: Option<RelayTime>,
}

impl Voice {
    fn end(&self) -> Option<RelayTime> {
        let (ends_at, stop_at) = (self.ends_at, self.sounding.stop_at);
        ends_at.into_iter().chain(stop_at).min()
    }
}

/// Triggers that were forgotten before they have ended.
#[derive(Clone, Copy, Debug)]
struct Forgotten {
    /// The number of the last one.
    last: u64,
    /// When all of them have ended; `None` if one of them sounds until a stop.
    until: Option<RelayTime>,
}

/// Upper bound of what a trigger without a target or data takes as JSON, but for its names.
const TRIGGER_BYTES: usize = 512;

/// About what a trigger takes in a welcome. It is encoded once, for the broadcast, and not here again.
fn bytes(Trigger { sound, by, target, data, .. }: &Trigger) -> usize {
    let of_target = target.as_ref().map_or(0, listed::bytes);
    // What a client sent as JSON: serde_json refuses none of it.
    let of_data = |data| serde_json::to_string(data).map_or(0, |json| json.len());
    TRIGGER_BYTES + sound.len() + by.name.len() + of_target + data.as_ref().map_or(0, of_data)
}

/// The triggers that have not ended, in the order of their numbers. At most [`MAX_SOUNDING`] and
/// [`MAX_SOUNDING_BYTES`]; beyond that the oldest is forgotten. Newcomers miss it, and who comes back is told from which
/// number on nothing is missing.
#[derive(Debug, Default)]
pub(super) struct Voices {
    remembered: VecDeque<Voice>,
    forgotten: Option<Forgotten>,
}

impl Voices {
    /// Adds a trigger whose sound lasts `micros`, or until a stop.
    pub(super) fn add(&mut self, trigger: &Trigger, micros: Option<u64>, now: RelayTime) {
        self.forget_ended(now);
        let targets = trigger.target.as_ref().map_or(0, |target| target.clients.len());
        let last_delay = trigger.stagger_micros.saturating_mul(targets.saturating_sub(1) as u64);
        let ends_at =
            micros.map(|micros| trigger.play_at.plus_micros(last_delay.saturating_add(micros)));
        let bytes = bytes(trigger);
        let sounding = Sounding { trigger: trigger.clone(), stop_at: None };
        self.remembered.push_back(Voice { sounding, bytes, ends_at });
        let mut sum: usize = self.remembered.iter().map(|voice| voice.bytes).sum();
        while self.remembered.len() > MAX_SOUNDING || sum > MAX_SOUNDING_BYTES {
            let Some(oldest) = self.remembered.pop_front() else { return };
            sum -= oldest.bytes;
            let until = match self.forgotten {
                Some(Forgotten { until, .. }) => until.zip(oldest.end()).map(|(a, b)| a.max(b)),
                None => oldest.end(),
            };
            self.forgotten = Some(Forgotten { last: oldest.sounding.trigger.seq, until });
        }
    }

    /// Records a stop. What it ends before it begins is forgotten.
    pub(super) fn stop(&mut self, stop: &Stop) {
        if let Some(forgotten) = &mut self.forgotten
            && stop.trigger.is_none()
            && stop.sound.is_none()
        {
            forgotten.until = forgotten.until.into_iter().chain([stop.stop_at]).min();
        }
        self.remembered.retain_mut(|Voice { sounding, .. }| {
            if !stop.ends(&sounding.trigger) {
                return true;
            }
            let earlier = sounding.stop_at.unwrap_or(stop.stop_at).min(stop.stop_at);
            sounding.stop_at = Some(earlier);
            earlier > sounding.trigger.play_at
        });
    }

    /// What has not ended at `now`.
    pub(super) fn at(&mut self, now: RelayTime) -> impl Iterator<Item = &Sounding> {
        self.forget_ended(now);
        self.remembered.iter().map(|voice| &voice.sounding)
    }

    /// The number from which on nothing is missing that has not ended at `now`; `None` if nothing is missing at all.
    pub(super) fn complete_from(&mut self, now: RelayTime) -> Option<u64> {
        self.forget_ended(now);
        self.forgotten.map(|forgotten| forgotten.last + 1)
    }

    pub(super) fn forget_ended(&mut self, now: RelayTime) {
        let lasts = |end: Option<RelayTime>| end.is_none_or(|end| now < end);
        self.remembered.retain(|voice| lasts(voice.end()));
        self.forgotten = self.forgotten.filter(|forgotten| lasts(forgotten.until));
    }
}
