//! How sounds are played by hand: the values of every press in this window, and who plays when. It ends
//! with the window.
//!
//! Pure data and arithmetic: it draws nothing.

use downbeat_protocol::{Shape, TONE, Tone, TriggerRequest};

use super::target::Target;

/// The level of a press at the bottom of a pad, in dB. At the top it is 0.
pub(super) const SOFTEST_DB: f64 = -24.0;

/// The values of every press.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hand {
    /// Added to the velocity, in dB.
    pub(super) gain_db: f64,
    /// Transposition; the nearest whole number of semitones counts.
    pub(super) semitones: f64,
    /// Added to that, in hundredths of a semitone.
    pub(super) cents: f64,
    /// From left (-1) to right (1).
    pub(super) pan: f64,
    /// The tone's frequency in Hz; that of the variables bound to it if there is none.
    pub(super) frequency: Option<f64>,
    /// The tone's length.
    pub(super) duration_ms: f64,
    /// The tone's waveform.
    pub(super) shape: Shape,
    /// Who plays, and when.
    pub(super) target: Target,
}

impl Default for Hand {
    fn default() -> Self {
        Self {
            gain_db: 0.0,
            semitones: 0.0,
            cents: 0.0,
            pan: 0.0,
            frequency: None,
            duration_ms: 500.0,
            shape: Shape::Sine,
            target: Target::default(),
        }
    }
}

impl Hand {
    /// The request for a press that is `velocity_db` louder than usual.
    pub(super) fn request(&self, sound: Option<String>, velocity_db: f64) -> TriggerRequest {
        let tone = (sound.as_deref() == Some(TONE)).then(|| self.tone());
        let semitones = self.semitones.round() + self.cents.round() / 100.0;
        let mut request = TriggerRequest {
            sound,
            gain: 10_f64.powf((self.gain_db + velocity_db) / 20.0).clamp(0.0, 4.0) as f32,
            rate: (semitones / 12.0).exp2().clamp(0.25, 4.0) as f32,
            pan: self.pan.clamp(-1.0, 1.0) as f32,
            tone,
            ..TriggerRequest::default()
        };
        self.target.address(&mut request);
        request
    }

    /// What the tone sounds like.
    pub(super) fn tone(&self) -> Tone {
        Tone {
            frequency: self.frequency.map(|hertz| hertz.clamp(20.0, 20_000.0) as f32),
            duration_micros: (self.duration_ms * 1000.0).round().max(1000.0) as u64,
            shape: self.shape,
        }
    }

    /// What is not as usual, in short; empty if all is.
    pub(super) fn summary(&self) -> String {
        let mut parts = Vec::new();
        if self.gain_db.abs() >= 0.05 {
            parts.push(decibels(self.gain_db));
        }
        if self.semitones.round() != 0.0 || self.cents.round() != 0.0 {
            let cents = self.semitones.round() + self.cents.round() / 100.0;
            parts.push(format!("{cents:+} st").replace('-', "−"));
        }
        if self.pan.abs() >= 0.005 {
            parts.push(pan(self.pan));
        }
        if self.target != Target::default() {
            parts.push(self.target.summary());
        }
        parts.join(" · ")
    }
}

/// The level of a press at this height of a pad: 0 is its bottom, 1 its top. Equal ways near the top are
/// finer than near the bottom, and the middle is -6 dB.
pub(super) fn velocity_db(height: f64) -> f64 {
    let below = 1.0 - height.clamp(0.0, 1.0);
    SOFTEST_DB * below * below
}

/// A level, with its sign.
pub(super) fn decibels(value: f64) -> String {
    if value.abs() < 0.05 {
        "0.0 dB".to_owned()
    } else {
        format!("{value:+.1} dB").replace('-', "−")
    }
}

/// A place between left and right.
pub(super) fn pan(value: f64) -> String {
    let percent = (value.abs() * 100.0).round();
    match percent as u32 {
        0 => "centre".to_owned(),
        _ if value < 0.0 => format!("{percent} L"),
        _ => format!("{percent} R"),
    }
}

/// A frequency.
pub(super) fn hertz(value: f64) -> String {
    match value {
        ..100.0 => format!("{value:.1} Hz"),
        100.0..1000.0 => format!("{value:.0} Hz"),
        1000.0..10_000.0 => format!("{:.2} kHz", value / 1000.0),
        _ => format!("{:.1} kHz", value / 1000.0),
    }
}

/// A duration.
pub(super) fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ..100.0 => format!("{milliseconds:.0} ms"),
        100.0..1000.0 => format!("{:.0} ms", (milliseconds / 10.0).round() * 10.0),
        _ => format!("{:.1} s", milliseconds / 1000.0),
    }
}

/// The name of a waveform.
pub(super) fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Sine => "Sine",
        Shape::Triangle => "Triangle",
        Shape::Saw => "Saw",
        Shape::Square => "Square",
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the ends of a range are exact")]
mod tests {
    use super::*;

    fn play(hand: &Hand, velocity: f64) -> TriggerRequest {
        hand.request(Some("bell".to_owned()), velocity)
    }

    #[test]
    fn an_untouched_hand_plays_the_sound_as_it_is() {
        let plain = TriggerRequest { sound: Some("bell".to_owned()), ..TriggerRequest::default() };
        assert_eq!(play(&Hand::default(), 0.0), plain);
        assert_eq!(Hand::default().summary(), "");
    }

    #[test]
    fn velocity_runs_from_the_bottom_to_the_top() {
        assert_eq!(velocity_db(1.0), 0.0);
        assert_eq!(velocity_db(0.5), -6.0);
        assert_eq!(velocity_db(0.0), SOFTEST_DB);
        assert_eq!(velocity_db(-3.0), SOFTEST_DB);
        let soft = play(&Hand::default(), SOFTEST_DB).gain;
        assert!((soft - 0.0631).abs() < 1e-4, "{soft}");
    }

    #[test]
    fn gain_and_pitch_are_in_the_units_of_musicians() {
        let hand = Hand { gain_db: 12.0, semitones: 12.3, pan: -1.0, ..Hand::default() };
        let request = play(&hand, -6.0);
        assert!((request.gain - 1.9953).abs() < 1e-4);
        assert_eq!(request.rate, 2.0, "a turn between two semitones is the nearer one");
        assert_eq!(request.pan, -1.0);
        assert_eq!(hand.summary(), "+12.0 dB · +12 st · 100 L");
        let cents = Hand { cents: 50.0, ..Hand::default() };
        assert!((play(&cents, 0.0).rate - 1.029_302).abs() < 1e-5);
        let wide = Hand { semitones: 24.0, cents: 100.0, ..Hand::default() };
        assert_eq!(play(&wide, 0.0).rate, 4.0);
    }

    #[test]
    fn only_the_tone_is_told_what_a_tone_sounds_like() {
        let hand = Hand { frequency: Some(220.0), shape: Shape::Saw, ..Hand::default() };
        assert_eq!(play(&hand, 0.0).tone, None);
        let tone = hand.request(Some(TONE.to_owned()), 0.0).tone.unwrap();
        assert_eq!((tone.frequency, tone.duration_micros), (Some(220.0), 500_000));
        assert_eq!(tone.shape, Shape::Saw);
        assert_eq!(Hand::default().tone().frequency, None, "bound variables decide");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(hertz(27.5), "27.5 Hz");
        assert_eq!(hertz(440.0), "440 Hz");
        assert_eq!(hertz(1234.0), "1.23 kHz");
        assert_eq!(duration(500.0), "500 ms");
        assert_eq!(duration(2500.0), "2.5 s");
        assert_eq!(pan(0.0), "centre");
        assert_eq!(decibels(-0.01), "0.0 dB");
        assert_eq!(decibels(-6.0), "−6.0 dB");
    }
}
