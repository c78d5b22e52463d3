//! What is sounding, or waits to sound: a newcomer joins it.
//!
//! Pure: the caller passes the time.

use std::collections::VecDeque;

use downbeat_protocol::{RelayTime, Sounding, Stop, Trigger};

/// Most triggers that are remembered. A player mixes 64 voices: a newcomer could join no more.
pub(super) const MAX_SOUNDING: usize = 64;

/// A trigger that has not ended.
#[derive(Clone, Debug)]
struct Voice {
    sounding: Sounding,
    /// `None` if it sounds until a stop.
    ends_at: Option<RelayTime>,
}

/// The triggers that have not ended, in the order of their numbers. At most [`MAX_SOUNDING`]; beyond that the
/// oldest is forgotten, which only newcomers miss.
#[derive(Debug, Default)]
pub(super) struct Voices(VecDeque<Voice>);

impl Voices {
    /// Adds a trigger whose sound lasts `micros`, or until a stop.
    pub(super) fn add(&mut self, trigger: &Trigger, micros: Option<u64>, now: RelayTime) {
        self.forget_ended(now);
        if self.0.len() == MAX_SOUNDING {
            self.0.pop_front();
        }
        let targets = trigger.target.as_ref().map_or(0, |target| target.clients.len());
        let last_delay = trigger.stagger_micros.saturating_mul(targets.saturating_sub(1) as u64);
        let ends_at =
            micros.map(|micros| trigger.play_at.plus_micros(last_delay.saturating_add(micros)));
        let sounding = Sounding { trigger: trigger.clone(), stop_at: None };
        self.0.push_back(Voice { sounding, ends_at });
    }

    /// Records a stop. What it ends before it begins is forgotten.
    pub(super) fn stop(&mut self, stop: &Stop) {
        self.0.retain_mut(|Voice { sounding, .. }| {
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
        self.0.iter().map(|voice| &voice.sounding)
    }

    pub(super) fn forget_ended(&mut self, now: RelayTime) {
        self.0.retain(|voice| {
            voice.ends_at.is_none_or(|ends_at| now < ends_at)
                && voice.sounding.stop_at.is_none_or(|stop_at| now < stop_at)
        });
    }
}
