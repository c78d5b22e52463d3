//! The cues and the open output: what its mixer is told, and what it reports.

use downbeat_audio::{GlideTarget, MixerHandle, OutputFormat, OutputStats, VoiceEvent, VoiceId};
use downbeat_protocol::{Missed, RelayTime};

use super::{
    Cues,
    cue::{self, Dropped, Instant, SentGlides, Timeline},
    decoded,
    driven::KEPT_MICROS,
};
use crate::{
    event::{VoiceEnd, VoiceUpdate},
    session::automation::Driven,
    settings::ExtraLatency,
    time::LocalTime,
};

/// A start that changes by less than this, a tenth of a frame, is not sent again: it is noise.
const RETIME_NANOS: i64 = 2_000;

/// How far ahead glides are sent to the mixer. Until then a better clock estimate may move them.
const GLIDES_AHEAD_MICROS: u64 = 500_000;

/// How long a cue is kept past its end, for the mixer to report that the voice has ended.
const GRACE_NANOS: i64 = 1_000_000_000;

/// The output's latency until it is known.
const ASSUMED_LATENCY_NANOS: i64 = 30_000_000;

impl Cues {
    /// The format of the open output.
    pub(in crate::session) fn format(&self) -> Option<OutputFormat> {
        self.output.as_ref().map(MixerHandle::format)
    }

    /// The statistics of the open output.
    pub(in crate::session) fn stats(&self) -> Option<OutputStats> {
        self.output.as_ref().map(MixerHandle::stats)
    }

    /// The peak since the last call, left and right.
    pub(in crate::session) fn take_peak(&mut self) -> [f32; 2] {
        self.output.as_mut().map_or([0.0; 2], MixerHandle::take_peak)
    }

    /// Replaces the output, or removes it. All voices move to the new one.
    pub(in crate::session) fn set_output(&mut self, output: Option<MixerHandle>, now: LocalTime) {
        self.output = output;
        self.volume_glides = None;
        for cue in &mut self.entries {
            cue.sent_start = None;
            cue.is_stop_sent = false;
        }
        self.send_volume();
        self.update_mixer(now);
    }

    /// Sets this machine's volume, 0 to 1.
    pub(in crate::session) fn set_volume(&mut self, volume: f32) {
        self.volume = volume;
        self.send_volume();
    }

    /// Silences this machine, or lets it be heard again. Voices go on, so that they are heard where they are by then.
    pub(in crate::session) fn set_muted(&mut self, is_muted: bool) {
        self.is_muted = is_muted;
        self.send_volume();
    }

    /// This machine's volume, 0 to 1.
    pub(in crate::session) fn volume(&self) -> f32 {
        self.volume
    }

    /// Whether this machine is silenced.
    pub(in crate::session) fn is_muted(&self) -> bool {
        self.is_muted
    }

    /// Sends the volume to the mixer. Where its ring is full, after hundreds of messages within one block, the next
    /// update tries again: a machine that is shown as muted must not be heard.
    fn send_volume(&mut self) {
        let volume = if self.is_muted { 0.0 } else { self.volume };
        self.is_volume_sent =
            self.output.as_mut().is_none_or(|mixer| mixer.set_volume(volume).is_ok());
    }

    /// Sets the output's extra latency: starts and stops are sent to it earlier by as much. Voices
    /// glide or jump to their new position.
    pub(in crate::session) fn set_extra_latency(
        &mut self,
        extra_latency: ExtraLatency,
        now: LocalTime,
    ) {
        self.extra_latency = extra_latency;
        for cue in &mut self.entries {
            // The mixer takes the earliest stop it is sent.
            cue.is_stop_sent = false;
        }
        self.glides_changed(now);
        self.update_mixer(now);
    }

    /// Takes the mixer's events, sends it what is due, and drops what is over. Call it some thirty
    /// times a second while [`Cues::is_active`].
    pub(in crate::session) fn tick(&mut self, now: LocalTime) {
        while let Some(event) = self.output.as_mut().and_then(MixerHandle::poll) {
            match event {
                VoiceEvent::Started { id, lateness_nanos } => self.started(id, lateness_nanos),
                VoiceEvent::Ended { id } => self.ended(id, VoiceEnd::Finished),
                VoiceEvent::Stolen { id } => self.ended(id, VoiceEnd::Stolen),
                VoiceEvent::Refused { id } => self.ended(id, VoiceEnd::Refused),
            }
        }
        self.update_mixer(now);
        self.miss_overdue(now);
        self.forget_past(now);
    }

    fn started(&mut self, id: VoiceId, lateness_nanos: i64) {
        let is_silent = self.is_muted || self.volume <= 0.0;
        let Some(cue) = self.entries.iter_mut().find(|cue| cue.voice == id) else { return };
        // It may go on through another output.
        if std::mem::replace(&mut cue.is_started, true) {
            return;
        }
        // The device clock of a machine that was stopped for a while is behind for a moment, and takes a voice
        // for one that is on time.
        let lateness_nanos = lateness_nanos.max(cue.came_late_nanos).max(0);
        let lateness_micros = u32::try_from(lateness_nanos / 1000).unwrap_or(u32::MAX);
        self.tally.triggers += 1;
        if !cue.is_joined {
            self.tally.late += u64::from(lateness_nanos > 0);
            self.tally.lateness_micros = Some(lateness_micros);
        }
        let outcome =
            if is_silent { cue.missed(Missed::Muted) } else { cue.sounded(lateness_micros) };
        self.outcomes.extend(outcome);
        self.updates.push(VoiceUpdate::Started { voice: id.0, lateness_micros });
    }

    fn ended(&mut self, id: VoiceId, reason: VoiceEnd) {
        // A former output may report a voice that is dropped already.
        let Some(place) = self.entries.iter().position(|cue| cue.voice == id) else { return };
        let mut cue = self.entries.remove(place);
        let missed = match reason {
            VoiceEnd::Refused | VoiceEnd::Stolen => Missed::Voices,
            VoiceEnd::Finished | VoiceEnd::Unheard if cue.is_cancelled(self.clock) => {
                Missed::Stopped
            }
            VoiceEnd::Finished | VoiceEnd::Unheard => Missed::TooLate,
        };
        self.outcomes.extend(cue.missed(missed));
        self.updates.push(VoiceUpdate::Ended { voice: id.0, reason });
    }

    /// Sends the mixer all starts, corrected starts and stops that it does not know.
    pub(super) fn update_mixer(&mut self, now: LocalTime) {
        let (clock, extra_nanos) = (self.clock, self.extra_latency.nanos());
        // The instant that the mixer is sent; the extra latency adds up to the true one.
        let sent = |instant| {
            let at = match instant {
                Instant::Local(at) => at,
                Instant::Relay(at) => clock?.local_at(at),
            };
            Some(at.plus_nanos(-extra_nanos))
        };
        self.drop_cues(|cue| {
            // Stopped before the mixer knew it.
            let never_begins = cue.sent_start.is_none()
                && cue.stop_at.and_then(sent).is_some_and(|at| at.nanos_since(now) <= 0);
            // Without a clock estimate nothing is known to be over; MAX_CUES bounds the cues.
            let is_over = sent(cue.start).is_some_and(|at| {
                cue.duration_nanos.is_some_and(|duration| {
                    now.nanos_since(at) >= duration.saturating_add(GRACE_NANOS)
                })
            });
            (never_begins || is_over).then_some(Dropped::Over)
        });
        if !self.is_volume_sent {
            self.send_volume();
        }
        let Self { output: Some(mixer), automation, bank, sounds, .. } = self else { return };
        let timeline = clock.map(|clock| Timeline {
            clock,
            extra_nanos,
            horizon: clock.relay_at(now).plus_micros(GLIDES_AHEAD_MICROS),
        });
        if let Some(timeline) = timeline {
            // A new output learns the present volume from its recent past: a value that begins now would begin
            // after the first frame.
            let known = self.volume_glides.unwrap_or_else(|| {
                let past = timeline.horizon.as_micros().saturating_sub(KEPT_MICROS);
                SentGlides::ChangedFrom(RelayTime::from_micros(past))
            });
            let target = (GlideTarget::RoomVolume, Driven::RoomVolume);
            let value = |driven| driven as f32;
            if cue::send(mixer, automation, timeline, target, known, value).is_err() {
                return;
            }
            self.volume_glides = Some(SentGlides::Until(timeline.horizon));
        }
        for cue in &mut self.entries {
            if let Some(at) = sent(cue.start) {
                let result = match cue.sent_start {
                    None => {
                        // At another rate than the output's, the mixer interpolates it until the
                        // loader has resampled it: in time, at a lower quality.
                        let name = &cue.trigger.sound;
                        let (sound, info) = (decoded(sounds, bank, name), bank.get(name));
                        let Some(start) = cue.voice_start(at, sound, info, automation) else {
                            continue;
                        };
                        if let Instant::Relay(begins) = cue.start {
                            cue.glides = SentGlides::Until(begins);
                        }
                        mixer.start(start)
                    }
                    Some(sent) if at.nanos_since(sent).abs() < RETIME_NANOS => Ok(()),
                    Some(_) => mixer.retime(cue.voice, at).map(|()| cue.sent_start = Some(at)),
                };
                // The next block empties a full ring; the next tick sends the rest.
                let Ok(()) = result else { return };
                cue.sent_start.get_or_insert(at);
                if let Some(timeline) = timeline
                    && cue.send_glides(mixer, automation, timeline).is_err()
                {
                    return;
                }
            }
            // A stop on the local clock needs no estimate of relay time.
            if cue.sent_start.is_some()
                && !cue.is_stop_sent
                && let Some(stop_at) = cue.stop_at.and_then(sent)
            {
                cue.is_stop_sent = mixer.stop(cue.voice, stop_at).is_ok();
            }
        }
    }

    /// From the mix to the converter; 0 without an output.
    pub(super) fn latency_nanos(&self) -> i64 {
        match self.stats() {
            None => 0,
            Some(stats) if stats.latency_nanos == 0 => ASSUMED_LATENCY_NANOS,
            Some(stats) => stats.latency_nanos,
        }
    }

    /// How far ahead of its instant the mixer must know a start to play it in time.
    pub(in crate::session) fn reach_nanos(&self) -> i64 {
        let (Some(format), Some(stats)) = (self.format(), self.stats()) else { return 0 };
        let rate = i64::from(format.rate.max(1));
        let block_nanos = i64::from(stats.block_frames) * 1_000_000_000 / rate;
        self.latency_nanos() + block_nanos + self.extra_latency.nanos().max(0)
    }
}
