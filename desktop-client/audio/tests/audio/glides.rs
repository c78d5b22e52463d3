//! Tones, loops and glides: what the mixer renders, frame by frame, on an offline device.
#![allow(clippy::float_cmp)] // A copy is exact, and silence is exactly zero.

use std::{f64::consts::TAU, sync::Arc};

use downbeat_audio::offline::OfflineDevice;
use downbeat_audio::{
    Glide, GlideTarget, LoopedSound, MixerHandle, OutputFormat, Parameter, SoundBuffer, Source,
    ToneShape, ToneSource, VoiceEvent, VoiceId, VoiceStart,
};
use downbeat_platform::local_time::LocalTime;

const MONO: OutputFormat = OutputFormat { rate: 48_000, channels: 1 };
const STEREO: OutputFormat = OutputFormat { rate: 48_000, channels: 2 };
const SECOND: i64 = 1_000_000_000;

/// The level of a tone at a gain of 1.
const LEVEL: f64 = 0.25;

/// A device that has run for a second, so that its device clock has settled.
fn running(format: OutputFormat) -> (MixerHandle, OfflineDevice) {
    let (mixer, mut device) = OfflineDevice::open(format);
    device.render(48_000);
    (mixer, device)
}

fn tone(frequency: f64, duration_seconds: f64) -> Source {
    Source::Tone(ToneSource { shape: ToneShape::Sine, frequency, duration_seconds })
}

fn start(source: Source, at: LocalTime) -> VoiceStart {
    VoiceStart { id: VoiceId(1), source, at, gain: 1.0, rate: 1.0, pan: 0.0 }
}

fn voice(parameter: Parameter) -> GlideTarget {
    GlideTarget::Voice(VoiceId(1), parameter)
}

fn steepest(out: &[f32]) -> f32 {
    out.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f32::max)
}

/// How far `out` is from `expected(n)` at most.
fn error(out: &[f32], expected: impl Fn(usize) -> f64) -> f64 {
    out.iter()
        .enumerate()
        .map(|(n, value)| (f64::from(*value) - expected(n)).abs())
        .fold(0.0, f64::max)
}

#[test]
fn a_tone_starts_on_its_frame_without_a_click_and_ends_after_its_duration() {
    let (mut mixer, mut device) = running(MONO);
    mixer.start(start(tone(440.0, 0.1), device.time_of(device.frame() + 700))).unwrap();
    let out = device.render(9_600);
    assert!(out[..701].iter().all(|value| *value == 0.0));
    // After the attack and before the release, the phase is that of a sine that began on the frame.
    let steady = error(&out[700 + 96..700 + 4_560], |n| {
        LEVEL * (TAU * 440.0 * (n + 96) as f64 / 48_000.0).sin()
    });
    assert!(steady < 1e-6, "{steady}");
    assert!(steepest(&out) < 0.017, "{}", steepest(&out));
    assert!(out[705] > 0.0 && out[700 + 4_800..].iter().all(|value| value.abs() < 1e-6));
    let events: Vec<_> = std::iter::from_fn(|| mixer.poll()).collect();
    assert_eq!(
        events,
        [
            VoiceEvent::Started { id: VoiceId(1), lateness_nanos: 0 },
            VoiceEvent::Ended { id: VoiceId(1) }
        ]
    );
}

#[test]
fn a_tone_that_comes_late_joins_in_its_phase() {
    let (mut mixer, mut device) = running(MONO);
    mixer.start(start(tone(440.0, 1.0), device.time_of(device.frame() - 4_801))).unwrap();
    let out = device.render(4_800);
    let joined =
        error(&out[200..], |n| LEVEL * (TAU * 440.0 * (n + 200 + 4_801) as f64 / 48_000.0).sin());
    assert!(joined < 1e-5, "{joined}");
}

#[test]
fn a_loop_repeats_its_part_frame_by_frame_until_a_stop() {
    let (mut mixer, mut device) = running(MONO);
    let samples: Vec<f32> = (1..=1000).map(|n| n as f32 / 4000.0).collect();
    let sound = Arc::new(SoundBuffer::new(samples.clone(), 1, 48_000));
    let looped = LoopedSound::new(Arc::clone(&sound), 200.0, 900.0).unwrap();
    let begin = 600;
    let at = device.time_of(device.frame() + begin as u64);
    mixer.start(start(Source::Loop(looped), at)).unwrap();
    let out = device.render(48_000);
    let frame = |n: usize| if n < 900 { n } else { 200 + (n - 200) % 700 };
    let wrong = out[begin..].iter().enumerate().find(|(n, value)| **value != samples[frame(*n)]);
    assert_eq!(wrong, None);
    mixer.stop(VoiceId(1), device.time_of(device.frame() + 100)).unwrap();
    let out = device.render(4_800);
    assert!(out[400..].iter().all(|value| *value == 0.0));
    while mixer.poll().is_some() {}
    assert_eq!(Arc::strong_count(&sound), 1, "the mixer has returned the sound");
}

#[test]
fn a_resampled_loop_keeps_its_length_over_a_thousand_rounds() {
    // A part of 1000.5 frames, as a loop of 919.2 frames at 44.1 kHz becomes at 48 kHz.
    let (mut mixer, mut device) = running(MONO);
    let samples: Vec<f32> =
        (0..2_000).map(|n| (0.5 * (TAU * f64::from(n) / 1000.5).sin()) as f32).collect();
    let sound = Arc::new(SoundBuffer::new(samples, 1, 48_000));
    let looped = LoopedSound::new(sound, 0.0, 1000.5).unwrap();
    let at = device.time_of(device.frame());
    mixer.start(start(Source::Loop(looped), at)).unwrap();
    let frames = 1_000 * 1_000;
    let mut block = vec![0.0; 480];
    for _ in 0..frames / 480 {
        device.render_into(&mut block);
    }
    let off = error(&block, |n| 0.5 * (TAU * (frames / 480 * 480 - 480 + n) as f64 / 1000.5).sin());
    // Half a frame of the seam is 0.0016.
    assert!(off < 0.004, "{off}");
}

#[test]
fn a_gliding_tone_is_the_integral_of_its_frequency() {
    let (mut mixer, device) = running(MONO);
    let mut device = device.with_block(441);
    let at = device.time_of(device.frame() + 480);
    mixer.start(start(tone(300.0, 10.0), at)).unwrap();
    // An octave up within half a second, from 0.2 s on; at its middle down at once.
    let glide = |at, to, over_nanos| Glide { at, to, over_nanos };
    let (up, down) = (at.plus_nanos(SECOND / 5), at.plus_nanos(SECOND / 5 + SECOND / 4));
    mixer.glide(voice(Parameter::Rate), glide(down, 0.5, 0)).unwrap();
    mixer.glide(voice(Parameter::Rate), glide(up, 2.0, SECOND / 2)).unwrap();
    let out = device.render(480 + 48_000);
    let cycles = |seconds: f64| {
        let gliding = |seconds: f64| 300.0 * 0.5 / 2.0_f64.ln() * ((seconds / 0.5).exp2() - 1.0);
        300.0 * seconds.min(0.2)
            + gliding((seconds - 0.2).clamp(0.0, 0.25))
            + 150.0 * (seconds - 0.45).max(0.0)
    };
    // Within a piece of 16 frames the frequency is constant.
    let off = error(&out[480 + 96..], |n| LEVEL * (TAU * cycles((n + 96) as f64 / 48_000.0)).sin());
    assert!(off < 2e-4, "{off}");
}

#[test]
fn a_change_of_rate_a_little_after_a_frame_begins_with_that_frame() {
    let (mut mixer, device) = running(MONO);
    let mut device = device.with_block(4_800);
    let frame = device.frame() + 480;
    mixer.start(start(tone(300.0, 10.0), device.time_of(frame))).unwrap();
    // A thousandth of a frame later than a whole one.
    let at = device.time_of(frame + 1_000).plus_nanos(20);
    mixer.glide(voice(Parameter::Rate), Glide { at, to: 2.0, over_nanos: 0 }).unwrap();
    let out = device.render(9_600);
    let cycles = |n: usize| (300 * n.min(1_000) + 600 * n.saturating_sub(1_000)) as f64 / 48_000.0;
    let off = error(&out[480 + 96..], |n| LEVEL * (TAU * cycles(n + 96)).sin());
    assert!(off < 1e-3, "{off}");
}

/// Plays a tone through a series of glides on a device whose clock is fast by `ppm`. Returns the local time, in
/// seconds, of its first crossing of zero after second 9.
fn crossing_after_glides(ppm: f64, block: usize) -> f64 {
    let (mut mixer, device) = OfflineDevice::open(MONO);
    let mut device = device.with_drift_ppm(ppm).with_block(block);
    device.render(96_000);
    let at = LocalTime::from_nanos(3 * SECOND);
    mixer.start(start(tone(200.0, 60.0), at)).unwrap();
    for step in 0..60 {
        let to = 2.0_f32.powf((step as f32 / 7.0).sin());
        let at = at.plus_nanos(step * SECOND / 20);
        let glide = Glide { at, to, over_nanos: SECOND / 20 };
        mixer.glide(voice(Parameter::Rate), glide).unwrap();
    }
    let first = device.frame();
    let out = device.render(48_000 * 8);
    let per_second = 48_000.0 * (1.0 + ppm * 1e-6);
    let from = (9.0 * per_second) as usize - first as usize;
    let rises = |pair: &[f32]| pair[0] < 0.0 && pair[1] >= 0.0;
    let n = from + out[from..].windows(2).position(rises).unwrap();
    let fraction = f64::from(-out[n] / (out[n + 1] - out[n]));
    (first as f64 + n as f64 + fraction) / per_second
}

#[test]
fn machines_with_clocks_that_differ_stay_together_through_glides() {
    let exact = crossing_after_glides(0.0, 480);
    for (ppm, block) in [(90.0, 480), (-120.0, 512), (40.0, 1024)] {
        let off = crossing_after_glides(ppm, block) - exact;
        assert!(off.abs() < 10e-6, "{ppm} ppm: {off}");
    }
}

#[test]
fn a_gain_glides_from_its_frame_and_a_step_does_not_click() {
    let (mut mixer, mut device) = running(MONO);
    let sound = Arc::new(SoundBuffer::new(vec![0.5; 48_000], 1, 48_000));
    let frame = device.frame() + 100;
    mixer.start(start(sound.into(), device.time_of(frame))).unwrap();
    let at = device.time_of(frame + 1_000);
    let to = |at, to, over_nanos| Glide { at, to, over_nanos };
    mixer.glide(voice(Parameter::Gain), to(at, 0.5, SECOND / 10)).unwrap();
    mixer.glide(voice(Parameter::Gain), to(at.plus_nanos(SECOND / 2), 0.0, 0)).unwrap();
    let out = device.render(40_000);
    let expected = |n: usize| match n {
        ..1_000 => 0.5,
        1_000..5_800 => 0.5 - 0.25 * (n - 1_000) as f64 / 4_800.0,
        5_800..25_000 => 0.25,
        25_000..25_240 => 0.25 * (1.0 - (n - 25_000) as f64 / 240.0),
        _ => 0.0,
    };
    let off = error(&out[100..], expected);
    assert!(off < 0.002, "{off}");
}

#[test]
fn a_pan_glides_to_the_other_side() {
    let (mut mixer, mut device) = running(STEREO);
    let sound = Arc::new(SoundBuffer::new(vec![0.25; 48_000], 1, 48_000));
    let frame = device.frame() + 100;
    let left = VoiceStart { pan: -1.0, ..start(sound.into(), device.time_of(frame)) };
    mixer.start(left).unwrap();
    let glide = Glide { at: device.time_of(frame + 1_000), to: 1.0, over_nanos: SECOND / 10 };
    mixer.glide(voice(Parameter::Pan), glide).unwrap();
    let out = device.render(20_000);
    let side = |side: usize| -> Vec<f32> { out.iter().skip(side).step_by(2).copied().collect() };
    let (left, right) = (side(0), side(1));
    assert!(left[600] > 0.3 && right[600].abs() < 1e-6);
    assert!((left[100 + 1_000 + 2_400] - right[100 + 1_000 + 2_400]).abs() < 0.01);
    assert!(right[15_000] > 0.3 && left[15_000].abs() < 1e-6);
    assert!(steepest(&left[200..]) < 0.004 && steepest(&right[200..]) < 0.004);
}

#[test]
fn the_rooms_volume_is_set_at_once_in_silence_and_glides_while_something_sounds() {
    let (mut mixer, mut device) = running(MONO);
    let past = Glide { at: LocalTime::from_nanos(0), to: 0.5, over_nanos: 0 };
    mixer.glide(GlideTarget::RoomVolume, past).unwrap();
    let sound = Arc::new(SoundBuffer::new(vec![0.5; 48_000], 1, 48_000));
    let frame = device.frame() + 100;
    mixer.start(start(sound.into(), device.time_of(frame))).unwrap();
    let glide = Glide { at: device.time_of(frame + 1_000), to: 0.0, over_nanos: SECOND / 10 };
    mixer.glide(GlideTarget::RoomVolume, glide).unwrap();
    let out = device.render(8_000);
    let off = error(&out[100..], |n| match n {
        ..1_000 => 0.25,
        1_000..5_800 => 0.25 * (1.0 - (n - 1_000) as f64 / 4_800.0),
        _ => 0.0,
    });
    assert!(off < 0.001, "{off}");
}

/// A device on which a voice sounds at a constant level of 0.5.
fn sounding() -> (MixerHandle, OfflineDevice) {
    let (mut mixer, mut device) = running(MONO);
    let sound = Arc::new(SoundBuffer::new(vec![0.5; 96_000], 1, 48_000));
    mixer.start(start(Source::Sound(sound), device.time_of(device.frame()))).unwrap();
    device.render(4_800);
    (mixer, device)
}

#[test]
fn a_step_begins_at_its_instant_also_between_two_frames() {
    // The shortest ramp of each.
    for (target, ramp) in [(voice(Parameter::Gain), 240.0), (GlideTarget::RoomVolume, 960.0)] {
        for fraction in [0.0, 0.25, 0.5, 0.9] {
            let (mut mixer, mut device) = sounding();
            let at = device.time_of(device.frame() + 100);
            let at = at.plus_nanos((fraction * 1e9 / 48_000.0) as i64);
            mixer.glide(target, Glide { at, to: 0.0, over_nanos: 0 }).unwrap();
            let off = error(&device.render(4_800), |n| {
                0.5 * (1.0 - ((n as f64 - 100.0 - fraction) / ramp).clamp(0.0, 1.0))
            });
            assert!(off < 2e-5, "{target:?} at {fraction}: {off}");
        }
    }
}
