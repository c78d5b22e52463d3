//! One cue: a trigger on this machine, what it plays, and what the mixer knows of it.

use std::sync::Arc;

use downbeat_audio::{
    Glide, GlideTarget, LoopedSound, MixerHandle, Parameter, QueueFull, SoundBuffer, Source,
    ToneShape, ToneSource, VoiceId, VoiceStart,
};
use downbeat_protocol::{
    DEFAULT_FREQUENCY, LoopFrames, Missed, RelayTime, Shape, SoundInfo, Tone, Trigger,
    TriggerOutcome,
};

use super::super::automation::{Automation, Driven, Segment};
use crate::{clock::ClockEstimate, time::LocalTime};

/// An instant, by the clock that it is known on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Instant {
    Relay(RelayTime),
    /// For a tutorial relay, which has no time, and for a relay that is gone.
    Local(LocalTime),
}

/// What a cue plays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CueKind {
    Sound,
    Loop(LoopFrames),
    Tone(Tone),
}

#[derive(Debug)]
pub(super) struct Cue {
    pub(super) voice: VoiceId,
    pub(super) trigger: Trigger,
    pub(super) kind: CueKind,
    pub(super) start: Instant,
    /// How long it sounds unless it is stopped; none for a loop.
    pub(super) duration_nanos: Option<i64>,
    pub(super) stop_at: Option<Instant>,
    /// The start that was last sent to the mixer; none if it does not know this cue.
    pub(super) sent_start: Option<LocalTime>,
    pub(super) is_stop_sent: bool,
    /// The glides that the mixer knows.
    pub(super) glides: SentGlides,
    /// Whether a mixer has begun it.
    pub(super) is_started: bool,
    /// Whether it has been sounding since before this client came.
    pub(super) is_joined: bool,
    /// How long after its instant it came; negative if it came before.
    pub(super) came_late_nanos: i64,
    /// When it counts as missed; none if what became of it is said, or nobody asks.
    pub(super) missed_at: Option<LocalTime>,
}

/// Why a cue is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// It is over or stopped, or its instant has no meaning any more.
    Over,
    /// There are too many cues.
    Crowded,
}

/// Which glides of a target the mixer knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SentGlides {
    /// All that begin before this instant.
    Until(RelayTime),
    /// What begins from this instant on has changed.
    ChangedFrom(RelayTime),
}

impl SentGlides {
    /// What begins from `from` on has changed.
    pub(super) fn changed(&mut self, from: RelayTime) {
        let known = match *self {
            Self::Until(known) | Self::ChangedFrom(known) => known,
        };
        *self = Self::ChangedFrom(known.min(from));
    }
}

/// Relay time as an instant at the converter, and how far ahead glides are sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    pub(super) clock: ClockEstimate,
    /// The output is sent everything this much earlier.
    pub(super) extra_nanos: i64,
    /// Glides that begin later are sent later.
    pub(super) horizon: RelayTime,
}

impl Timeline {
    pub(super) fn sent(&self, at: RelayTime) -> LocalTime {
        self.clock.local_at(at).plus_nanos(-self.extra_nanos)
    }
}

impl CueKind {
    /// What a trigger plays; none if its sound is not in the bank.
    pub(super) fn of(trigger: &Trigger, info: Option<&SoundInfo>) -> Option<Self> {
        match (trigger.tone, info) {
            (Some(tone), _) => Some(Self::Tone(tone)),
            (None, Some(SoundInfo { looped: Some(part), .. })) => Some(Self::Loop(*part)),
            (None, Some(_)) => Some(Self::Sound),
            (None, None) => None,
        }
    }

    /// How long it sounds at a rate; none without an end.
    pub(super) fn duration_nanos(self, rate: f32, info: Option<&SoundInfo>) -> Option<i64> {
        match self {
            Self::Sound => info.map(|info| info.duration_micros(rate).cast_signed() * 1000),
            Self::Loop(_) => None,
            Self::Tone(tone) => Some(tone.duration_micros.cast_signed() * 1000),
        }
    }
}

impl Instant {
    /// Whether it is not later than another, as far as that is known.
    pub(super) fn is_by(self, other: Self, clock: Option<ClockEstimate>) -> bool {
        match (self, other) {
            (Self::Relay(one), Self::Relay(other)) => one <= other,
            (Self::Local(one), Self::Local(other)) => one <= other,
            (Self::Relay(one), Self::Local(other)) => {
                clock.is_some_and(|c| c.local_at(one) <= other)
            }
            (Self::Local(one), Self::Relay(other)) => {
                clock.is_some_and(|c| one <= c.local_at(other))
            }
        }
    }
}

impl Cue {
    /// Whether a stop ended it before its start.
    pub(super) fn is_cancelled(&self, clock: Option<ClockEstimate>) -> bool {
        self.stop_at.is_some_and(|stop| stop.is_by(self.start, clock))
    }

    /// The outcome of its trigger if it has sounded, so much too late; none if one was given already.
    pub(super) fn sounded(&mut self, lateness_micros: u32) -> Option<TriggerOutcome> {
        self.outcome(lateness_micros, None)
    }

    /// The outcome of its trigger if it does not sound; none if one was given already.
    pub(super) fn missed(&mut self, why: Missed) -> Option<TriggerOutcome> {
        self.outcome(0, Some(why))
    }

    fn outcome(&mut self, lateness_micros: u32, missed: Option<Missed>) -> Option<TriggerOutcome> {
        self.missed_at.take()?;
        // Without a number, nobody asks.
        let seq = self.trigger.seq;
        (seq > 0).then_some(TriggerOutcome { seq, lateness_micros, missed })
    }

    /// What drives its rate. That of a tone without a frequency of its own is the frequency, in Hz.
    fn rate_driven(&self) -> Driven<'_> {
        match self.kind {
            CueKind::Tone(Tone { frequency: None, .. }) => Driven::Frequency(&self.trigger.sound),
            _ => Driven::Rate(&self.trigger.sound),
        }
    }

    /// The frequency of a tone at the start of the cue; of others 1.
    fn base_frequency(&self, automation: &Automation) -> f64 {
        match (self.kind, self.start) {
            (CueKind::Tone(Tone { frequency: Some(frequency), .. }), _) => frequency.into(),
            (CueKind::Tone(_), Instant::Relay(start)) => {
                automation.value(self.rate_driven(), start)
            }
            (CueKind::Tone(_), Instant::Local(_)) => DEFAULT_FREQUENCY.into(),
            _ => 1.0,
        }
    }

    /// A parameter for a value of what drives it.
    fn value(&self, parameter: Parameter, driven: f64, base_frequency: f64) -> f32 {
        let Trigger { gain, rate, pan, .. } = self.trigger;
        let is_in_hz = matches!(self.kind, CueKind::Tone(Tone { frequency: None, .. }));
        let value = match parameter {
            Parameter::Gain => f64::from(gain) * driven,
            Parameter::Rate if is_in_hz => f64::from(rate) * driven / base_frequency,
            Parameter::Rate => f64::from(rate) * driven,
            Parameter::Pan => (f64::from(pan) + driven).clamp(-1.0, 1.0),
        };
        value as f32
    }

    fn driven(&self, parameter: Parameter) -> Driven<'_> {
        match parameter {
            Parameter::Gain => Driven::Gain(&self.trigger.sound),
            Parameter::Rate => self.rate_driven(),
            Parameter::Pan => Driven::Pan(&self.trigger.sound),
        }
    }

    /// The voice to start; none while its sound is not decoded.
    pub(super) fn voice_start(
        &self,
        at: LocalTime,
        sound: Option<&Arc<SoundBuffer>>,
        info: Option<&SoundInfo>,
        automation: &Automation,
    ) -> Option<VoiceStart> {
        let frequency = self.base_frequency(automation);
        let source = match self.kind {
            CueKind::Sound => Arc::clone(sound?).into(),
            CueKind::Loop(part) => looped(sound?, part, info),
            CueKind::Tone(tone) => Source::Tone(ToneSource {
                shape: match tone.shape {
                    Shape::Sine => ToneShape::Sine,
                    Shape::Triangle => ToneShape::Triangle,
                    Shape::Saw => ToneShape::Saw,
                    Shape::Square => ToneShape::Square,
                },
                frequency,
                duration_seconds: tone.duration_micros as f64 * 1e-6,
            }),
        };
        let initial = |parameter| match self.start {
            Instant::Relay(start) => {
                let driven = automation.value(self.driven(parameter), start);
                self.value(parameter, driven, frequency)
            }
            // A relay that is gone drives nothing any more.
            Instant::Local(_) => match parameter {
                Parameter::Gain => self.trigger.gain,
                Parameter::Rate => self.trigger.rate,
                Parameter::Pan => self.trigger.pan,
            },
        };
        let [gain, rate, pan] = [Parameter::Gain, Parameter::Rate, Parameter::Pan].map(initial);
        Some(VoiceStart { id: self.voice, source, at, gain, rate, pan })
    }

    /// Sends the mixer the glides that it does not know yet.
    ///
    /// # Errors
    /// The mixer's queue is full. What was sent is sent again, which changes nothing.
    pub(super) fn send_glides(
        &mut self,
        mixer: &mut MixerHandle,
        automation: &Automation,
        timeline: Timeline,
    ) -> Result<(), QueueFull> {
        if matches!(self.start, Instant::Local(_)) {
            return Ok(());
        }
        let frequency = self.base_frequency(automation);
        for parameter in [Parameter::Gain, Parameter::Rate, Parameter::Pan] {
            let target = GlideTarget::Voice(self.voice, parameter);
            let value = |driven| self.value(parameter, driven, frequency);
            let driven = self.driven(parameter);
            send(mixer, automation, timeline, (target, driven), self.glides, value)?;
        }
        self.glides = SentGlides::Until(timeline.horizon);
        Ok(())
    }
}

/// Sends the glides of one target that begin before the horizon and that the mixer does not know.
pub(super) fn send(
    mixer: &mut MixerHandle,
    automation: &Automation,
    timeline: Timeline,
    (target, driven): (GlideTarget, Driven<'_>),
    known: SentGlides,
    value: impl Fn(f64) -> f32,
) -> Result<(), QueueFull> {
    let from = match known {
        SentGlides::Until(from) => from,
        SentGlides::ChangedFrom(from) => {
            let at = timeline.sent(from);
            mixer.cancel_glides(target, at)?;
            let to = value(automation.value(driven, from));
            mixer.glide(target, Glide { at, to, over_nanos: 0 })?;
            from
        }
    };
    for Segment { at, to, over_micros } in automation.segments(driven, from, timeline.horizon) {
        let over_nanos = over_micros.cast_signed().saturating_mul(1000);
        let glide = Glide { at: timeline.sent(at), to: value(to), over_nanos };
        mixer.glide(target, glide)?;
    }
    Ok(())
}

/// The part of a decoded sound that repeats; the whole sound, once, if it has no such part.
fn looped(sound: &Arc<SoundBuffer>, part: LoopFrames, info: Option<&SoundInfo>) -> Source {
    let rate = info.map_or_else(|| sound.rate(), |info| info.rate.max(1));
    let scale = f64::from(sound.rate()) / f64::from(rate);
    let (start, end) = (part.start as f64 * scale, part.end as f64 * scale);
    match LoopedSound::new(Arc::clone(sound), start, end) {
        Some(looped) => Source::Loop(looped),
        None => Arc::clone(sound).into(),
    }
}
