//! The voices of one sound: how far each has come, and how long the last one has left.

use std::time::Duration;

use downbeat_protocol::SoundInfo;

use crate::{event::ScheduledVoice, state::State, time::LocalTime};

/// The shortest interval of frames while something sweeps, and the longest.
const FRAME: Duration = Duration::from_millis(16);
const SLOW_FRAME: Duration = Duration::from_millis(100);

/// The voices of one sound at an instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sweep {
    /// How far each sounding voice has come, 0 to 1, oldest first.
    pub(super) heads: Vec<f32>,
    /// How long the last one has left; none if that is a loop.
    pub(super) remaining: Option<Duration>,
    /// How fast the fastest one moves, in its length per second.
    speed: f32,
    /// Until the first that waits starts.
    waits: Option<Duration>,
}

impl Sweep {
    /// The voices of the sound `name` at `now`.
    pub(super) fn of(state: &State, name: &str, now: LocalTime) -> Self {
        let voices = state.voices.iter().map(|voice| &voice.scheduled);
        let voices: Vec<_> = voices.filter(|voice| voice.sound == name).collect();
        if voices.is_empty() {
            return Self::default();
        }
        let info = state.bank.iter().map(|sound| &sound.info).find(|info| info.name == name);
        let mut sweep = Self { remaining: Some(Duration::ZERO), ..Self::default() };
        for voice in voices {
            sweep.add(voice, info, now);
        }
        sweep
    }

    fn add(&mut self, voice: &ScheduledVoice, info: Option<&SoundInfo>, now: LocalTime) {
        let age = now.nanos_since(voice.at);
        if age < 0 {
            let wait = Duration::from_nanos(age.unsigned_abs());
            self.waits = Some(self.waits.map_or(wait, |sooner| sooner.min(wait)));
            return;
        }
        let Some(duration) = voice.duration_nanos else {
            let Some(info) = info else { return };
            let (place, speed) = looped(info, age);
            self.heads.push(place);
            self.speed = self.speed.max(speed);
            self.remaining = None;
            return;
        };
        if age >= duration {
            return;
        }
        self.heads.push((age as f64 / duration as f64) as f32);
        self.speed = self.speed.max(1e9 / duration as f32);
        let left = Duration::from_nanos((duration - age).unsigned_abs());
        self.remaining = self.remaining.map(|longest| longest.max(left));
    }

    /// Whether a voice sounds.
    pub(super) fn is_sounding(&self) -> bool {
        !self.heads.is_empty()
    }

    /// When it looks different next, on a pad of this many pixels; none if it does not.
    pub(super) fn next(&self, pixels: f32) -> Option<Duration> {
        if !self.is_sounding() {
            return self.waits;
        }
        // When the fastest head has moved by half a pixel.
        let seconds = 0.5 / (self.speed * pixels).max(f32::MIN_POSITIVE);
        let frame = Duration::from_secs_f32(seconds.min(1.0)).clamp(FRAME, SLOW_FRAME);
        Some(self.waits.map_or(frame, |wait| wait.min(frame)))
    }
}

/// Where a loop is after `age` nanoseconds, as a share of its sound, and its speed.
fn looped(info: &SoundInfo, age: i64) -> (f32, f32) {
    let frames = info.frames.max(1) as f64;
    let played = age as f64 / 1e9 * f64::from(info.rate);
    let place = match info.looped {
        Some(bounds) if bounds.end > bounds.start && played >= bounds.end as f64 => {
            let (start, length) = (bounds.start as f64, (bounds.end - bounds.start) as f64);
            start + (played - start) % length
        }
        _ => played % frames,
    };
    ((place / frames) as f32, (f64::from(info.rate) / frames) as f32)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use downbeat_protocol::LoopFrames;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn info() -> SoundInfo {
        SoundInfo {
            name: "pad".to_owned(),
            hash: String::new(),
            bytes: 0,
            frames: 4000,
            rate: 1000,
            channels: 1,
            looped: Some(LoopFrames { start: 1000, end: 3000 }),
            gain_db: 0.0,
        }
    }

    fn voice(at: i64, duration_nanos: Option<i64>) -> ScheduledVoice {
        let at = LocalTime::from_nanos(at);
        ScheduledVoice { voice: 1, seq: 1, sound: "pad".to_owned(), at, duration_nanos }
    }

    fn sweep(voices: &[ScheduledVoice], now: i64) -> Sweep {
        let mut sweep = Sweep { remaining: Some(Duration::ZERO), ..Sweep::default() };
        for voice in voices {
            sweep.add(voice, Some(&info()), LocalTime::from_nanos(now));
        }
        sweep
    }

    #[test]
    fn each_voice_has_a_head_and_the_last_one_says_what_remains() {
        let voices = [voice(0, Some(4 * SECOND)), voice(SECOND, Some(4 * SECOND))];
        let sweep = sweep(&voices, 2 * SECOND);
        assert_eq!(sweep.heads, [0.5, 0.25]);
        assert_eq!(sweep.remaining, Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_loop_goes_round_and_has_no_end() {
        let place = |seconds: i64| sweep(&[voice(0, None)], seconds * SECOND).heads[0];
        assert_eq!(place(2), 0.5);
        assert_eq!(place(3), 0.25, "back at its start");
        assert_eq!(place(4), 0.5);
        assert_eq!(sweep(&[voice(0, None)], SECOND).remaining, None);
    }

    #[test]
    fn frames_are_drawn_only_as_often_as_something_moves() {
        let frame = |seconds: i64| sweep(&[voice(0, Some(seconds * SECOND))], 0).next(200.0);
        assert_eq!(frame(1), Some(FRAME));
        assert_eq!(frame(20).map(|frame| frame.as_millis()), Some(50));
        assert_eq!(frame(600), Some(SLOW_FRAME));
        let over = sweep(&[voice(0, Some(SECOND))], 2 * SECOND);
        assert_eq!((over.next(200.0), over.is_sounding()), (None, false));
        let waiting = sweep(&[voice(SECOND, Some(SECOND))], 0);
        assert_eq!(waiting.next(200.0), Some(Duration::from_secs(1)));
    }
}
