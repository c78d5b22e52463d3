//! The servo: on a device with a drifting clock, a long sound is kept at its position smoothly.

use std::f64::consts::TAU;
use std::sync::Arc;

use downbeat_audio::offline::OfflineDevice;
use downbeat_audio::{OutputFormat, SoundBuffer, VoiceId, VoiceStart};
use downbeat_platform::local_time::LocalTime;

const MONO: OutputFormat = OutputFormat { rate: 48_000, channels: 1 };
const RATE: f64 = 48_000.0;
const TONE_HZ: f64 = 1_000.0;

fn tone(seconds: usize) -> Arc<SoundBuffer> {
    let samples = (0..48_000 * seconds)
        // The phase is reduced first, so that the tone is as pure at its end as at its beginning.
        .map(|n| (0.5 * ((n % 48) as f64 * TAU * TONE_HZ / RATE).sin()) as f32)
        .collect();
    Arc::new(SoundBuffer::new(samples, 1, 48_000))
}

/// Amplitude and phase of the frequency `omega` in a piece, by least squares, and the residual.
fn fit(piece: &[f32], omega: f64) -> (f64, f64, f64) {
    let (mut ss, mut cc, mut sc, mut sx, mut cx) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, x) in piece.iter().enumerate() {
        let (s, c) = (n as f64 * omega).sin_cos();
        let x = f64::from(*x);
        (ss, cc, sc) = (ss + s * s, cc + c * c, sc + s * c);
        (sx, cx) = (sx + s * x, cx + c * x);
    }
    let det = ss * cc - sc * sc;
    let (a, b) = ((cc * sx - sc * cx) / det, (ss * cx - sc * sx) / det);
    let rest: f64 = piece
        .iter()
        .enumerate()
        .map(|(n, x)| {
            let (s, c) = (n as f64 * omega).sin_cos();
            (f64::from(*x) - a * s - b * c).powi(2)
        })
        .sum();
    (a.hypot(b), b.atan2(a), (rest / piece.len() as f64).sqrt())
}

/// The fit with the smallest residual within some hundred ppm of `omega`, where the squared
/// residual is a parabola.
fn best_fit(piece: &[f32], omega: f64) -> (f64, f64, f64) {
    let mut omega = omega;
    for step in [100e-6, 5e-6] {
        let [low, mid, high] =
            [-1.0, 0.0, 1.0].map(|way| fit(piece, omega * (1.0 + way * step)).2.powi(2));
        omega *= 1.0 + step * 0.5 * (low - high) / (low - 2.0 * mid + high);
    }
    fit(piece, omega)
}

/// The lag of the tone behind its nominal position, in microseconds. The piece's first frame leaves
/// the converter at `leaves`; the tone began at `at`.
fn behind_micros(piece: &[f32], ppm: f64, leaves: LocalTime, at: LocalTime) -> f64 {
    // The device is fast by `ppm`, so the tone is lower by as much in its frames.
    let (_, phase, _) = fit(piece, TAU * TONE_HZ / RATE / (1.0 + ppm * 1e-6));
    let due = leaves.nanos_since(at) as f64 * 1e-9 * TONE_HZ;
    let turns = due - phase / TAU;
    (turns - turns.round()) / TONE_HZ * 1e6
}

#[test]
fn ten_minutes_on_clocks_160_ppm_off_stay_within_a_tenth_of_a_millisecond() {
    for (ppm, jitter) in [(160.0, 0.0), (-160.0, 100e3), (80.0, 300e3)] {
        let (mut mixer, device) = OfflineDevice::open(MONO);
        let mut device = device.with_block(480).with_drift_ppm(ppm).with_jitter_nanos(jitter, 11);
        device.render(480 * 2_000);
        let at = device.time_of(device.frame() + 10_000);
        let voice = VoiceStart {
            id: VoiceId(1),
            source: tone(610).into(),
            at,
            gain: 1.0,
            rate: 1.0,
            pan: 0.0,
        };
        mixer.start(voice).unwrap();
        device.render(48_000);
        let mut worst = 0.0_f64;
        for _ in 0..600 * 10 {
            let leaves = device.time_of(device.frame());
            let piece = device.render(4_800);
            worst = worst.max(behind_micros(&piece, ppm, leaves, at).abs());
        }
        eprintln!("{ppm} ppm, jitter {} us: worst offset {worst:.1} us", jitter / 1e3);
        assert!(worst < 100.0, "{ppm} ppm: {worst} us");
    }
}

#[test]
fn the_servo_adds_no_audible_distortion() {
    for (ppm, jitter, bound) in [(160.0, 0.0, -110.0), (160.0, 100e3, -90.0)] {
        let (mut mixer, device) = OfflineDevice::open(MONO);
        let mut device = device.with_block(480).with_drift_ppm(ppm).with_jitter_nanos(jitter, 13);
        device.render(480 * 2_000);
        let at = device.time_of(device.frame() + 10_000);
        let voice = VoiceStart {
            id: VoiceId(1),
            source: tone(40).into(),
            at,
            gain: 1.0,
            rate: 1.0,
            pan: 0.0,
        };
        mixer.start(voice).unwrap();
        device.render(480_000);
        // In pieces of 20 ms, like an analyser with a 50 Hz notch around the tone: the best fitting
        // frequency of each piece, and the worst of all pieces.
        let nominal = TAU * TONE_HZ / RATE / (1.0 + ppm * 1e-6);
        let thd_n = (0..500)
            .map(|_| {
                let piece = device.render(960);
                let (amplitude, _, rest) = best_fit(&piece, nominal);
                rest / (amplitude / 2_f64.sqrt())
            })
            .fold(0.0, f64::max);
        let thd_n = 20.0 * thd_n.log10();
        eprintln!("{ppm} ppm, jitter {} us: THD+N {thd_n:.1} dB", jitter / 1e3);
        assert!(thd_n < bound, "{thd_n} dB");
    }
}

#[test]
fn a_retimed_voice_glides_to_its_new_position() {
    let (mut mixer, device) = OfflineDevice::open(MONO);
    let mut device = device.with_block(480);
    device.render(480 * 500);
    let at = device.time_of(device.frame());
    let voice =
        VoiceStart { id: VoiceId(1), source: tone(60).into(), at, gain: 1.0, rate: 1.0, pan: 0.0 };
    mixer.start(voice).unwrap();
    device.render(48_000);
    // A third of a period: 10 ms would be whole periods of the tone, which are not detectable.
    let better = at.plus_nanos(-300_000);
    mixer.retime(VoiceId(1), better).unwrap();
    let mut last = 300.0;
    for tenth in 0..100 {
        let leaves = device.time_of(device.frame());
        let behind = behind_micros(&device.render(4_800), 0.0, leaves, better);
        assert!(last - behind < 210.0, "at most 2000 ppm: {last} to {behind} in 100 ms");
        assert!(tenth < 50 || behind.abs() < 6.0, "after {tenth} tenths still {behind} us");
        last = behind;
    }
}
