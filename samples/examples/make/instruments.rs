//! The short sounds. Struck sounds have their onset at frame 0, without a fade-in: listeners and
//! measurements synchronize on the first frame.

use crate::synth::{Filter, Random, Sound, decay, note, rise, sine};

const RATE: u32 = 48_000;

/// A tick of 20 ms: the default sound. Its first frame is its loudest, and its spectrum is broad,
/// so that cross-correlation locates it to a fraction of a frame.
pub fn click() -> Sound {
    let mut random = Random::new(1);
    let mut filter = Filter::default();
    Sound::mono(RATE, 0.020, |t| {
        let noise = filter.step(random.noise(), 3_500.0 / f64::from(RATE), 0.707).low;
        let body = 0.45 * decay(t, 0.0040) * sine(1_750.0 * t + 0.25)
            + 0.30 * decay(t, 0.0025) * sine(2_937.0 * t + 0.25)
            + 0.25 * decay(t, 0.0012) * sine(5_270.0 * t + 0.25);
        body + 0.35 * decay(t, 0.0025) * noise
    })
    .fade(0.0, 0.004)
    .normalise()
}

/// A drum: a sine that falls from 230 Hz to 46 Hz, slightly overdriven, with the beater's attack in
/// front.
pub fn kick() -> Sound {
    let mut random = Random::new(2);
    let mut tap = Filter::default();
    Sound::mono(RATE, 0.5, |t| {
        // The phase is the integral of 46 + 60 exp(-t/0.055) + 124 exp(-t/0.009).
        let fallen = |hertz: f64, seconds: f64| hertz * seconds * (1.0 - decay(t, seconds));
        let cycles = 46.0 * t + fallen(60.0, 0.055) + fallen(124.0, 0.009);
        let skin = decay(t, 0.16) * sine(cycles + 0.08);
        let beater = decay(t, 0.0018) * tap.step(random.noise(), 0.07, 0.9).low;
        (1.6 * skin).tanh() + 0.5 * beater + 0.18 * decay(t, 0.003) * sine(1_900.0 * t + 0.25)
    })
    .fade(0.0, 0.05)
    .normalise()
}

/// A hand clap: four slightly separated bursts of noise around 1.2 kHz, followed by reverberation.
pub fn clap() -> Sound {
    let mut random = Random::new(3);
    let (mut palms, mut air, mut rumble) =
        (Filter::default(), Filter::default(), Filter::default());
    let bursts = [(0.0, 1.0), (0.0097, 0.75), (0.0202, 0.85), (0.0311, 1.0)];
    Sound::mono(RATE, 0.45, |t| {
        let hands: f64 = bursts.iter().map(|&(at, level)| level * decay(t - at, 0.0035)).sum();
        let room = 0.30 * rise((t - 0.029) / 0.004) * decay(t - 0.031, 0.075);
        let noise = random.noise();
        let cycles = |hertz: f64| hertz / f64::from(RATE);
        let palms = palms.step(noise, cycles(1_150.0), 1.6).band;
        let air = air.step(noise, cycles(2_600.0), 1.1).band;
        rumble.step((hands + room) * (palms + 0.45 * air), cycles(500.0), 0.707).high
    })
    .fade(0.0, 0.08)
    .normalise()
}

/// A bell on E5 with the partials of Risset's bell (An Introductory Catalogue of Computer
/// Synthesized Sounds, 1969): two pairs of partials beat, and high partials decay first.
pub fn bell() -> Sound {
    // Ratio to the fundamental, detuning in Hz, level, and decay time relative to the longest.
    const PARTIALS: [(f64, f64, f64, f64); 11] = [
        (0.56, 0.0, 1.0, 1.0),
        (0.56, 1.0, 0.67, 0.9),
        (0.92, 0.0, 1.0, 0.65),
        (0.92, 1.7, 1.8, 0.55),
        (1.19, 0.0, 2.67, 0.325),
        (1.70, 0.0, 1.67, 0.35),
        (2.00, 0.0, 1.46, 0.25),
        (2.74, 0.0, 1.33, 0.2),
        (3.00, 0.0, 1.33, 0.15),
        (3.76, 0.0, 1.0, 0.1),
        (4.07, 0.0, 1.33, 0.075),
    ];
    let pitch = note(76.0);
    let mut random = Random::new(4);
    let mut strike = Filter::default();
    Sound::mono(RATE, 3.5, |t| {
        let partials: f64 = PARTIALS
            .iter()
            .map(|&(ratio, beside, level, lasts)| {
                level * decay(t, 0.85 * lasts) * sine((pitch * ratio + beside) * t)
            })
            .sum();
        // The attack: the clapper touches the metal for a millisecond.
        let clapper = decay(t, 0.0012) * strike.step(random.noise(), 0.12, 0.8).band;
        rise(t / 0.0004 + 0.3) * partials + 3.0 * clapper
    })
    .fade(0.0, 0.5)
    .normalise()
}

/// A wide string chord: D with major seventh and ninth. Each note consists of two voices a few
/// cents apart, one further left and one further right, whose upper partials decay first.
pub fn chord() -> Sound {
    const NOTES: [f64; 6] = [38.0, 50.0, 57.0, 61.0, 64.0, 66.0];
    const STEREO_RATE: u32 = 44_100;
    let side = |seed: u64, lean: f64| {
        let mut random = Random::new(seed);
        // Every voice has its own initial phase and detuning, so that the attack is not a single
        // edge.
        let voices: Vec<(f64, f64, f64)> = NOTES
            .iter()
            .enumerate()
            .flat_map(|(index, &number)| {
                let place = if index % 2 == 0 { lean } else { -lean };
                [(-1.0, 1.0 - place), (1.0, 1.0 + place)].map(|(way, level)| {
                    (note(number + way * random.between(0.025, 0.055)), level, random.unit())
                })
            })
            .collect();
        Sound::mono(STEREO_RATE, 3.0, |t| {
            let brightness = 420.0 + 2_600.0 * decay(t, 0.55);
            voices
                .iter()
                .map(|&(pitch, level, phase)| {
                    let partials = (1..=12).map(|n| {
                        let hertz = pitch * f64::from(n);
                        let soft = 1.0 / (1.0 + (hertz / brightness).powi(2));
                        soft / f64::from(n) * sine(hertz * t + phase * f64::from(n * n))
                    });
                    level * (220.0 / pitch).powf(0.35) * partials.sum::<f64>()
                })
                .sum::<f64>()
                * (0.35 * decay(t, 0.35) + 0.65 * decay(t, 1.4))
        })
    };
    let (left, right) = (side(5, 0.35), side(6, -0.35));
    let channels = left.channels.into_iter().chain(right.channels).collect();
    Sound { rate: STEREO_RATE, channels }.fade(0.008, 0.7).normalise()
}
