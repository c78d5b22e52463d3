//! The flags of `downbeat bang` and `downbeat stop`.

use std::str::FromStr;

use clap::Args;
use downbeat_protocol::{
    ClientId, InvalidValue, Shape, TONE, TargetRequest, Tone, TriggerRequest, When,
};

use super::relay::{RelayConfig, name};

/// The settings of a bang.
#[derive(Clone, Debug, Args)]
pub(crate) struct BangConfig {
    /// The relay, and this machine's name.
    #[command(flatten)]
    pub(crate) relay: RelayConfig,
    /// The sound to play. The relay's default sound if absent; `tone` is synthesised.
    #[arg(long, value_name = "NAME", env = "DOWNBEAT_SOUND", value_parser = name)]
    pub(crate) sound: Option<String>,
    /// Linear factor on its level, 0 to 4.
    #[arg(long, value_name = "G", env = "DOWNBEAT_GAIN", default_value_t = 1.0)]
    pub(crate) gain: f32,
    /// Factor on its speed, 0.25 to 4.
    #[arg(long, value_name = "R", env = "DOWNBEAT_RATE", default_value_t = 1.0)]
    pub(crate) rate: f32,
    /// A value of the bang: gain (dB), semitones, cents, pan (-1 to 1), and for a tone frequency (Hz),
    /// duration (seconds) and shape (sine, triangle, saw, square). Repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) values: Vec<BangValue>,
    /// Who plays it.
    #[command(flatten)]
    pub(crate) target: TargetConfig,
    /// When it sounds.
    #[command(flatten)]
    pub(crate) when: WhenConfig,
    /// Milliseconds from one machine to the next, in the order of their seats, 0 to 10000.
    #[arg(long, value_name = "MS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(crate) stagger_ms: u64,
    /// How many times.
    #[arg(long, value_name = "N", env = "DOWNBEAT_COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: u32,
    /// Milliseconds from one to the next.
    #[arg(long, value_name = "MS", env = "DOWNBEAT_EVERY", default_value_t = 500)]
    pub(crate) every: u64,
}

/// A value of a bang.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BangValue {
    /// In dB.
    Gain(f32),
    Semitones(f32),
    Cents(f32),
    Pan(f32),
    /// In Hz.
    Frequency(f32),
    /// In seconds.
    Duration(f64),
    Shape(Shape),
}

impl FromStr for BangValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
        let number = || match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(format!("{key} is a number, not {value:?}")),
        };
        Ok(match key {
            "gain" => Self::Gain(number()? as f32),
            "semitones" => Self::Semitones(number()? as f32),
            "cents" => Self::Cents(number()? as f32),
            "pan" => Self::Pan(number()? as f32),
            "frequency" => Self::Frequency(number()? as f32),
            "duration" => Self::Duration(number()?),
            "shape" => Self::Shape(match value {
                "sine" => Shape::Sine,
                "triangle" => Shape::Triangle,
                "saw" => Shape::Saw,
                "square" => Shape::Square,
                _ => return Err("shape is sine, triangle, saw or square".to_owned()),
            }),
            _ => {
                let keys = "gain, semitones, cents, pan, frequency, duration or shape";
                return Err(format!("there is no value {key:?}: it is {keys}"));
            }
        })
    }
}

impl BangConfig {
    /// What to ask of the relay. A value of a tone makes the sound the tone, unless another is named.
    ///
    /// # Errors
    /// The value that is out of its range.
    pub(crate) fn request(&self) -> Result<TriggerRequest, InvalidValue> {
        let mut request = TriggerRequest {
            sound: self.sound.clone(),
            gain: self.gain,
            rate: self.rate,
            target: self.target.target(),
            when: self.when.when(),
            stagger_micros: self.stagger_ms * 1000,
            ..TriggerRequest::default()
        };
        let mut tone = None;
        for value in &self.values {
            match *value {
                BangValue::Gain(decibels) => request.gain *= 10.0_f32.powf(decibels / 20.0),
                BangValue::Semitones(semitones) => request.rate *= (semitones / 12.0).exp2(),
                BangValue::Cents(cents) => request.rate *= (cents / 1200.0).exp2(),
                BangValue::Pan(pan) => request.pan = pan,
                BangValue::Frequency(hertz) => {
                    tone.get_or_insert_with(Tone::default).frequency = Some(hertz);
                }
                BangValue::Duration(seconds) => {
                    let micros = (seconds * 1e6).round().max(0.0) as u64;
                    tone.get_or_insert_with(Tone::default).duration_micros = micros;
                }
                BangValue::Shape(shape) => tone.get_or_insert_with(Tone::default).shape = shape,
            }
        }
        if tone.is_some() {
            request.sound.get_or_insert_with(|| TONE.to_owned());
        }
        request.tone = tone;
        request.validate()?;
        Ok(request)
    }
}

/// Who plays it. The flags add up.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TargetConfig {
    /// Only machines of this name. Repeatable.
    #[arg(long = "to", value_name = "NAME", value_parser = name)]
    names: Vec<String>,
    /// Only machines with this tag. Repeatable.
    #[arg(long = "tag", value_name = "TAG", value_parser = name)]
    tags: Vec<String>,
    /// Only the client of this number. Repeatable.
    #[arg(long = "client", value_name = "ID")]
    clients: Vec<u32>,
    /// Only one of them, at random.
    #[arg(long)]
    one: bool,
}

impl TargetConfig {
    /// The target; none for everyone.
    pub(crate) fn target(&self) -> Option<TargetRequest> {
        let target = TargetRequest {
            names: self.names.clone(),
            tags: self.tags.clone(),
            clients: self.clients.iter().map(|id| ClientId(*id)).collect(),
            others: false,
            one: self.one,
        };
        (target != TargetRequest::default()).then_some(target)
    }
}

/// When it takes effect: as soon as all can be together, unless a flag says otherwise.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WhenConfig {
    /// So many milliseconds later than that, up to an hour.
    #[arg(long, value_name = "MS", conflicts_with = "now",
          value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    after_ms: Option<u64>,
    /// On arrival, on each machine for itself.
    #[arg(long)]
    now: bool,
}

impl WhenConfig {
    /// The instant.
    pub(crate) fn when(&self) -> When {
        match self.after_ms {
            _ if self.now => When::Now,
            Some(millis) => When::AfterMicros(millis * 1000),
            None => When::Together,
        }
    }
}

/// The settings of a stop.
#[derive(Clone, Debug, Args)]
pub(crate) struct StopConfig {
    /// The relay, and this machine's name.
    #[command(flatten)]
    pub(crate) relay: RelayConfig,
    /// The sound to stop. If absent, everything.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) sound: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{super::Config, *};
    use crate::config::Command;

    fn request(arguments: &[&str]) -> Result<TriggerRequest, String> {
        let parsed = Config::try_parse_from(["downbeat", "bang"].iter().chain(arguments));
        let Some(Command::Bang(bang)) = parsed.map_err(|error| error.to_string())?.command else {
            panic!("{arguments:?}")
        };
        bang.request().map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_given_in_the_units_of_musicians() {
        let values = ["--set", "gain=-6.0206", "--set", "semitones=12", "--set", "cents=-1200"];
        let plain = request(&values).unwrap();
        assert!((plain.gain - 0.5).abs() < 1e-4 && (plain.rate - 1.0).abs() < 1e-6);
        assert_eq!((plain.sound, plain.tone), (None, None));
        let tone =
            request(&["--set", "frequency=220", "--set", "shape=saw", "--set", "duration=1.5"]);
        let tone = tone.unwrap();
        assert_eq!(tone.sound.as_deref(), Some(TONE));
        let expected =
            Tone { frequency: Some(220.0), duration_micros: 1_500_000, shape: Shape::Saw };
        assert_eq!(tone.tone, Some(expected));
    }

    #[test]
    fn a_wrong_value_is_named_with_what_it_may_be() {
        for (value, named) in [
            ("frequency", "KEY=VALUE"),
            ("frequency=high", "number"),
            ("frequency=nan", "number"),
            ("frequency=5", "20"),
            ("shape=round", "triangle"),
            ("loud=1", "semitones"),
            ("semitones=25", "rate"),
        ] {
            let error = request(&["--set", value]).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        let error = request(&["--sound", "bell", "--set", "shape=saw"]).unwrap_err();
        assert!(error.contains("bell"), "{error}");
    }

    #[test]
    fn target_and_instant_have_flags() {
        let default = request(&[]).unwrap();
        assert_eq!((default.target, default.when), (None, When::Together));
        let arguments =
            ["--to", "lab-3", "--tag", "left", "--one", "--after-ms", "250", "--stagger-ms", "80"];
        let request = request(&arguments).unwrap();
        let target = request.target.unwrap();
        assert_eq!(
            (target.names, target.tags, target.one),
            (vec!["lab-3".into()], vec!["left".into()], true)
        );
        assert_eq!((request.when, request.stagger_micros), (When::AfterMicros(250_000), 80_000));
    }
}
