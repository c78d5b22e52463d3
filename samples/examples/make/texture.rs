//! A texture of 30 s: rain on tuned metal over slow breath. Every drop and every breath is a unique
//! piece of noise, so that any short section identifies its position in the sound.

use std::f64::consts::{PI, TAU};

use crate::synth::{Filter, Random, Sound, note, rise};

/// Low, so that half a minute is a small file; the sound needs no frequencies above 16 kHz.
const RATE: u32 = 32_000;
const SECONDS: f64 = 30.0;

/// The successive harmonies of the drops, as MIDI notes.
const HARMONIES: [[f64; 7]; 5] = [
    [50.0, 57.0, 62.0, 64.0, 69.0, 73.0, 78.0],
    [47.0, 54.0, 62.0, 66.0, 69.0, 74.0, 76.0],
    [43.0, 55.0, 59.0, 62.0, 66.0, 71.0, 76.0],
    [45.0, 52.0, 59.0, 64.0, 67.0, 71.0, 74.0],
    [50.0, 57.0, 62.0, 66.0, 69.0, 76.0, 81.0],
];

pub fn texture() -> Sound {
    let mut frames = vec![0.0; (SECONDS * f64::from(RATE)) as usize];
    drops(&mut frames);
    breath(&mut frames);
    Sound { rate: RATE, channels: vec![frames] }.fade(0.02, 0.5).normalise()
}

/// The intensity at time `t`, from the quiet ends (0) to the climax (1): two waves, the second
/// higher.
fn fullness(t: f64) -> f64 {
    let wave = |from: f64, top: f64, to: f64| {
        if t < top { rise((t - from) / (top - from)) } else { rise((to - t) / (to - top)) }
    };
    (0.75 * wave(-4.0, 8.0, 17.0)).max(wave(9.0, 22.0, 33.0))
}

/// Random drops, 140 to 400 a second: a few milliseconds of noise through two resonances, one near
/// a note of the harmony and one above it, with a slight glide as they decay.
fn drops(frames: &mut [f64]) {
    let rate = f64::from(RATE);
    let mut random = Random::new(7);
    let mut t = 0.0;
    while t < SECONDS {
        let fullness = fullness(t);
        // Around a change, drops of both harmonies are mixed.
        let place = t / SECONDS * HARMONIES.len() as f64 + random.between(-0.25, 0.25);
        let harmony = &HARMONIES[(place.max(0.0) as usize).min(HARMONIES.len() - 1)];
        let octave = 12.0 * (random.unit() * (1.2 + 1.6 * fullness)).floor();
        let pitch = note(random.pick(harmony) + octave + random.between(-0.2, 0.2));
        let slide = random.between(-1.2, 0.7);
        let seconds = random.between(0.005, 0.016) + 5.0 / pitch * random.unit();
        let level = random.between(0.4, 1.0);
        let tap = 0.0015 + 0.004 * random.unit();
        // Bars and bowls have partials at about these ratios, which decay faster.
        let upper = random.pick(&[2.32, 2.76, 3.01, 4.25, 5.4]) * random.between(0.97, 1.03);
        let bright = 0.7 / (1.0 + (pitch * upper / 4_500.0).powi(2));

        let mut filters = [Filter::default(), Filter::default()];
        let start = (t * rate) as usize;
        let length = ((tap + 5.0 * seconds) * rate) as usize;
        for (n, frame) in frames.iter_mut().skip(start).take(length).enumerate() {
            let t = n as f64 / rate;
            let strike = if t < tap { random.noise() * rise(2.0 - 2.0 * t / tap) } else { 0.0 };
            let hertz = pitch * (slide * t).exp2();
            let mut ring = |partial: usize, hertz: f64, seconds: f64| {
                // A resonance of quality q decays with a time constant of q / (pi hertz) seconds.
                let q = PI * hertz * seconds;
                filters[partial].step(strike, hertz / rate, q).band * q.sqrt()
            };
            let metal = ring(0, hertz, seconds) + bright * ring(1, hertz * upper, 0.4 * seconds);
            *frame += level * metal * rise((length - n) as f64 / rate / 0.005);
        }
        t += -(1.0 - random.unit()).ln() / (140.0 + 260.0 * fullness);
    }
}

/// Noise through two slowly moving vowel formants.
fn breath(frames: &mut [f64]) {
    let rate = f64::from(RATE);
    let mut random = Random::new(8);
    let (mut throat, mut mouth, mut soften) =
        (Filter::default(), Filter::default(), Filter::default());
    for (n, frame) in frames.iter_mut().enumerate() {
        let t = n as f64 / rate;
        let wander = |seconds: f64, from: f64| (TAU * (t / seconds + from)).sin();
        let noise = soften.step(random.noise(), 5_000.0 / rate, 0.6).low;
        let low = 420.0 * (0.7 * wander(11.3, 0.1)).exp2();
        let high = 1_500.0 * (0.8 * wander(7.7, 0.6)).exp2();
        let swell = 0.55 + 0.45 * wander(5.1, 0.8);
        let vowels = throat.step(noise, low / rate, 3.0).band
            + 0.6 * mouth.step(noise, high / rate, 4.0).band;
        *frame += 0.28 * (0.5 + fullness(t)) * (0.5 + swell) * (vowels + 0.06 * noise);
    }
}
