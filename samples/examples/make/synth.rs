//! Building blocks of the instruments: deterministic noise, filters and envelopes.

use std::f64::consts::{PI, TAU};

/// Peak of every sound: -12 dBFS, so that four at once stay below full scale.
pub const PEAK: f64 = 0.251;

/// An unfinished sound: one value per channel and frame, of any level.
pub struct Sound {
    pub rate: u32,
    pub channels: Vec<Vec<f64>>,
}

impl Sound {
    /// A mono sound of `seconds`. `value` computes each frame from its time in seconds.
    pub fn mono(rate: u32, seconds: f64, mut value: impl FnMut(f64) -> f64) -> Self {
        let frames = (seconds * f64::from(rate)).round() as usize;
        let channel = (0..frames).map(|n| value(n as f64 / f64::from(rate))).collect();
        Self { rate, channels: vec![channel] }
    }

    pub fn frames(&self) -> usize {
        self.channels[0].len()
    }

    pub fn seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.rate)
    }

    /// Applies raised-cosine fades at both ends.
    pub fn fade(mut self, seconds_in: f64, seconds_out: f64) -> Self {
        let (rate, frames) = (f64::from(self.rate), self.frames());
        for channel in &mut self.channels {
            for (n, value) in channel.iter_mut().enumerate() {
                *value *= rise(n as f64 / rate / seconds_in)
                    * rise((frames - 1 - n) as f64 / rate / seconds_out);
            }
        }
        self
    }

    /// Scales the highest peak to [`PEAK`].
    pub fn normalise(mut self) -> Self {
        let values = self.channels.iter().flatten();
        let peak = values.fold(0.0_f64, |peak, value| peak.max(value.abs()));
        for value in self.channels.iter_mut().flatten() {
            *value *= PEAK / peak;
        }
        self
    }
}

/// A smooth step from 0 at 0 to 1 at 1 and beyond.
pub fn rise(x: f64) -> f64 {
    // 0/0, the first frame of a fade of length zero, counts as after the fade.
    if x < 1.0 { 0.5 - 0.5 * (PI * x.max(0.0)).cos() } else { 1.0 }
}

/// `exp(-t / seconds)`; 0 for negative times.
pub fn decay(t: f64, seconds: f64) -> f64 {
    if t < 0.0 { 0.0 } else { (-t / seconds).exp() }
}

pub fn sine(cycles: f64) -> f64 {
    (TAU * cycles.fract()).sin()
}

/// Frequency of a MIDI note number, in equal temperament with A4 = 440 Hz.
pub fn note(number: f64) -> f64 {
    440.0 * ((number - 69.0) / 12.0).exp2()
}

/// A deterministic pseudorandom sequence: Marsaglia's xorshift with Vigna's multiplier
/// (xorshift64*, 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    /// White noise, from -1 to 1.
    pub fn noise(&mut self) -> f64 {
        self.between(-1.0, 1.0)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.unit() * from.len() as f64) as usize]
    }
}

/// A state-variable filter in Simper's form (Cytomic, 2013), which is stable under modulation of
/// its cutoff.
#[derive(Default)]
pub struct Filter {
    ic1: f64,
    ic2: f64,
}

/// The outputs of a [`Filter`].
pub struct Bands {
    pub low: f64,
    /// Unity gain at the centre frequency.
    pub band: f64,
    pub high: f64,
}

impl Filter {
    /// Filters one value. `cutoff` is in cycles per frame; `q` is the resonance (0.707: none).
    pub fn step(&mut self, input: f64, cutoff: f64, q: f64) -> Bands {
        let (g, k) = ((PI * cutoff.clamp(1e-5, 0.49)).tan(), 1.0 / q);
        let a1 = 1.0 / (1.0 + g * (g + k));
        let v3 = input - self.ic2;
        let band = a1 * (self.ic1 + g * v3);
        let low = self.ic2 + g * band;
        self.ic1 = 2.0 * band - self.ic1;
        self.ic2 = 2.0 * low - self.ic2;
        Bands { low, band: k * band, high: input - k * band - low }
    }
}
