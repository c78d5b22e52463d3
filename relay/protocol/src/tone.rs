//! The built-in sound `tone`, which each machine synthesises itself.

use serde::{Deserialize, Serialize};

/// The name of the built-in tone. The bank contains no file of this name.
pub const TONE: &str = "tone";

/// The frequency of a tone that names none, unless a variable is bound to it.
pub const DEFAULT_FREQUENCY: f32 = 440.0;

/// The waveform of a tone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A sine.
    #[default]
    Sine,
    /// A triangle.
    Triangle,
    /// A sawtooth.
    Saw,
    /// A square wave.
    Square,
}

/// What a tone sounds like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tone {
    /// Hz, 20 to 20000. If absent, it is the value of the variables bound to `frequency`, or
    /// [`DEFAULT_FREQUENCY`]. The trigger's `rate` is a factor on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<f32>,
    /// How long it sounds, 1 ms to 10 minutes.
    #[serde(default = "default_duration")]
    pub duration_micros: u64,
    /// Its waveform.
    #[serde(default)]
    pub shape: Shape,
}

impl Default for Tone {
    fn default() -> Self {
        Self { frequency: None, duration_micros: default_duration(), shape: Shape::default() }
    }
}

fn default_duration() -> u64 {
    500_000
}
