//! A texture of 30 s: rain on tuned metal over slow breath. Every drop and every breath is a piece
//! of noise that comes only once, so that any short stretch of it tells where in the sound it is.

use std::f64::consts::{PI, TAU};

use crate::synth::{Chance, Filter, Sound, note, rise};

/// Low enough that half a minute is small; nothing in it needs more than 16 kHz.
const RATE: u32 = 32_000;
const SECONDS: f64 = 30.0;

/// The harmonies that the drops are tuned to, one after the other, as MIDI notes.
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

/// Where in the piece `t` is, from its quiet ends (0) to its fullest (1): two waves, the second
/// higher.
fn fullness(t: f64) -> f64 {
    let wave = |from: f64, top: f64, to: f64| {
        if t < top { rise((t - from) / (top - from)) } else { rise((to - t) / (to - top)) }
    };
    (0.75 * wave(-4.0, 8.0, 17.0)).max(wave(9.0, 22.0, 33.0))
}

/// Drops at random, 140 to 400 a second: a few milliseconds of noise through two resonances, one
/// near a note of the harmony and one above it, sliding a little as they die.
fn drops(frames: &mut [f64]) {
    let rate = f64::from(RATE);
    let mut chance = Chance::new(7);
    let mut t = 0.0;
    while t < SECONDS {
        let fullness = fullness(t);
        // Around a change, drops of both harmonies mix.
        let place = t / SECONDS * HARMONIES.len() as f64 + chance.between(-0.25, 0.25);
        let harmony = &HARMONIES[(place.max(0.0) as usize).min(HARMONIES.len() - 1)];
        let octave = 12.0 * (chance.unit() * (1.2 + 1.6 * fullness)).floor();
        let pitch = note(chance.pick(harmony) + octave + chance.between(-0.2, 0.2));
        let slide = chance.between(-1.2, 0.7);
        let seconds = chance.between(0.005, 0.016) + 5.0 / pitch * chance.unit();
        let level = chance.between(0.4, 1.0);
        let tap = 0.0015 + 0.004 * chance.unit();
        // Bars and bowls ring at ratios around these, and shorter there.
        let upper = chance.pick(&[2.32, 2.76, 3.01, 4.25, 5.4]) * chance.between(0.97, 1.03);
        let bright = 0.7 / (1.0 + (pitch * upper / 4_500.0).powi(2));

        let mut filters = [Filter::default(), Filter::default()];
        let start = (t * rate) as usize;
        let length = ((tap + 5.0 * seconds) * rate) as usize;
        for (n, frame) in frames.iter_mut().skip(start).take(length).enumerate() {
            let t = n as f64 / rate;
            let strike = if t < tap { chance.noise() * rise(2.0 - 2.0 * t / tap) } else { 0.0 };
            let hertz = pitch * (slide * t).exp2();
            let mut ring = |partial: usize, hertz: f64, seconds: f64| {
                // A resonance of quality q rings for q / (pi hertz) seconds.
                let q = PI * hertz * seconds;
                filters[partial].step(strike, hertz / rate, q).band * q.sqrt()
            };
            let metal = ring(0, hertz, seconds) + bright * ring(1, hertz * upper, 0.4 * seconds);
            *frame += level * metal * rise((length - n) as f64 / rate / 0.005);
        }
        t += -(1.0 - chance.unit()).ln() / (140.0 + 260.0 * fullness);
    }
}

/// Noise through two vowels that wander.
fn breath(frames: &mut [f64]) {
    let rate = f64::from(RATE);
    let mut chance = Chance::new(8);
    let (mut throat, mut mouth, mut soften) =
        (Filter::default(), Filter::default(), Filter::default());
    for (n, frame) in frames.iter_mut().enumerate() {
        let t = n as f64 / rate;
        let wander = |seconds: f64, from: f64| (TAU * (t / seconds + from)).sin();
        let noise = soften.step(chance.noise(), 5_000.0 / rate, 0.6).low;
        let low = 420.0 * (0.7 * wander(11.3, 0.1)).exp2();
        let high = 1_500.0 * (0.8 * wander(7.7, 0.6)).exp2();
        let swell = 0.55 + 0.45 * wander(5.1, 0.8);
        let vowels = throat.step(noise, low / rate, 3.0).band
            + 0.6 * mouth.step(noise, high / rate, 4.0).band;
        *frame += 0.28 * (0.5 + fullness(t)) * (0.5 + swell) * (vowels + 0.06 * noise);
    }
}
