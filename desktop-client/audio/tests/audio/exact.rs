//! What the mixer renders, frame by frame, on an offline device.
#![allow(clippy::float_cmp)] // A copy is exact, and silence is exactly zero.

use std::sync::Arc;

use downbeat_audio::offline::OfflineDevice;
use downbeat_audio::{
    MixerHandle, OutputFormat, SoundBuffer, VOICES, VoiceEvent, VoiceId, VoiceStart,
};
use downbeat_platform::local_time::LocalTime;

const MONO: OutputFormat = OutputFormat { rate: 48_000, channels: 1 };
const STEREO: OutputFormat = OutputFormat { rate: 48_000, channels: 2 };

/// A sound whose frames all differ, well below the limiter.
fn ramp(frames: usize) -> Arc<SoundBuffer> {
    let samples = (1..=frames).map(|n| n as f32 / (4 * frames) as f32).collect();
    Arc::new(SoundBuffer::new(samples, 1, 48_000))
}

fn constant(level: f32, frames: usize) -> Arc<SoundBuffer> {
    Arc::new(SoundBuffer::new(vec![level; frames], 1, 48_000))
}

fn sine(radians_per_frame: f64, frames: usize, rate: u32) -> Arc<SoundBuffer> {
    let samples = (0..frames).map(|n| 0.5 * (n as f64 * radians_per_frame).sin() as f32).collect();
    Arc::new(SoundBuffer::new(samples, 1, rate))
}

fn start(id: u64, sound: &Arc<SoundBuffer>, at: LocalTime) -> VoiceStart {
    let sound = Arc::clone(sound);
    VoiceStart { id: VoiceId(id), source: sound.into(), at, gain: 1.0, rate: 1.0, pan: 0.0 }
}

fn events(mixer: &mut MixerHandle) -> Vec<VoiceEvent> {
    std::iter::from_fn(|| mixer.poll()).collect()
}

fn steepest(out: &[f32]) -> f32 {
    out.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f32::max)
}

fn is_silent(out: &[f32]) -> bool {
    out.iter().all(|value| *value == 0.0)
}

/// A device that has run for a second, so that its device clock has settled.
fn running(format: OutputFormat) -> (MixerHandle, OfflineDevice) {
    let (mixer, mut device) = OfflineDevice::open(format);
    device.render(48_000);
    (mixer, device)
}

#[test]
fn a_sound_starts_on_its_frame_and_is_copied_bit_by_bit() {
    for begin in [8, 9, 100, 511, 512, 513, 520, 4_000] {
        let (mut mixer, mut device) = running(MONO);
        let sound = ramp(960);
        mixer.start(start(1, &sound, device.time_of(device.frame() + begin as u64))).unwrap();
        let out = device.render(8_192);
        assert!(is_silent(&out[..begin]), "before {begin}");
        assert_eq!(out[begin..begin + 960], *sound.samples(), "{begin}");
        assert!(is_silent(&out[begin + 960..]), "after {begin}");
        assert_eq!(
            events(&mut mixer),
            [
                VoiceEvent::Started { id: VoiceId(1), lateness_nanos: 0 },
                VoiceEvent::Ended { id: VoiceId(1) }
            ]
        );
        assert_eq!(Arc::strong_count(&sound), 1, "the mixer has returned the sound");
    }
}

#[test]
fn the_block_size_does_not_change_the_output() {
    for block in [1, 3, 64, 480, 512, 4_096, 100_000] {
        let (mut mixer, device) = OfflineDevice::open(STEREO);
        let mut device = device.with_block(block);
        device.render(200_000);
        let sound = ramp(1_000);
        for (id, ahead) in [(1, 500), (2, 517), (3, 2_000)] {
            mixer.start(start(id, &sound, device.time_of(device.frame() + ahead))).unwrap();
        }
        mixer.stop(VoiceId(3), device.time_of(device.frame() + 2_500)).unwrap();
        let out: Vec<_> = device.render(4_000).chunks(2).map(|frame| frame[0]).collect();
        let at = |n: usize, begin: usize| {
            n.checked_sub(begin).and_then(|n| sound.samples().get(n)).copied().unwrap_or(0.0)
        };
        for (n, value) in out.iter().enumerate().take(2_500) {
            let expected = at(n, 500) + at(n, 517) + at(n, 2_000);
            assert!(
                (value - expected).abs() < 1e-6,
                "block {block}, frame {n}: {value} not {expected}"
            );
        }
        // The stop fades over five milliseconds: 240 frames.
        assert!(out[2_600] > 0.0 && out[2_600] < at(2_600, 2_000));
        assert!(is_silent(&out[2_742..]), "block {block}");
    }
}

#[test]
fn a_start_between_two_frames_is_interpolated() {
    let (mut mixer, mut device) = running(MONO);
    let omega = std::f64::consts::TAU / 48.0;
    let onset = device.time_of(device.frame() + 1_000).plus_nanos(7_000);
    mixer.start(start(1, &sine(omega, 4_800, 48_000), onset)).unwrap();
    let out = device.render(8_000);
    let late = 7_000.0 * 48_000.0 * 1e-9;
    for (n, value) in out.iter().enumerate().skip(1_100).take(4_000) {
        let expected = 0.5 * ((n as f64 - 1_000.0 - late) * omega).sin();
        assert!((f64::from(*value) - expected).abs() < 1e-4, "frame {n}");
    }
}

#[test]
fn a_late_voice_joins_in_the_middle_and_reports_its_lateness() {
    let (mut mixer, mut device) = running(MONO);
    let sound = ramp(9_600);
    // 100 ms late.
    let at = device.time_of(device.frame() - 4_800);
    mixer.start(start(1, &sound, at)).unwrap();
    let out = device.render(9_600);
    assert_eq!(out[200..4_800], sound.samples()[5_000..]);
    assert!(is_silent(&out[4_800..]));
    assert!(out[0].abs() < 1e-6 && out[72] < sound.samples()[4_872], "the voice fades in");
    let Some(VoiceEvent::Started { lateness_nanos, .. }) = mixer.poll() else {
        panic!("the voice has started")
    };
    assert!((lateness_nanos - 100_000_000).abs() < 1_000, "{lateness_nanos}");

    // And a voice whose sound is already over.
    mixer.start(start(2, &sound, at)).unwrap();
    assert!(is_silent(&device.render(4_800)));
    assert_eq!(events(&mut mixer), [VoiceId(1), VoiceId(2)].map(|id| VoiceEvent::Ended { id }));
}

#[test]
fn a_stop_fades_from_its_frame_and_before_the_start_it_silences() {
    let (mut mixer, mut device) = running(MONO);
    let sound = constant(0.5, 48_000);
    let frame = device.frame();
    mixer.start(start(1, &sound, device.time_of(frame + 100))).unwrap();
    mixer.start(start(2, &sound, device.time_of(frame + 100))).unwrap();
    mixer.stop(VoiceId(1), device.time_of(frame + 700)).unwrap();
    mixer.stop(VoiceId(2), device.time_of(frame + 50)).unwrap();
    let out = device.render(4_800);
    assert!(out[100..=700].iter().all(|value| *value == 0.5));
    assert!(out[701] < 0.5 && is_silent(&out[942..]));
    assert!(steepest(&out[700..]) < 0.005);
}

#[test]
fn a_voice_beyond_the_capacity_steals_the_slot_of_the_quietest() {
    let (mut mixer, mut device) = running(MONO);
    let sound = constant(0.01, 48_000);
    let at = device.time_of(device.frame() + 8);
    for id in 0..VOICES as u64 {
        let gain = if id == 17 { 0.5 } else { 1.0 };
        mixer.start(VoiceStart { gain, ..start(id, &sound, at) }).unwrap();
    }
    let out = device.render(4_800);
    assert!((out[4_000] - 0.635).abs() < 1e-4, "{}", out[4_000]);
    assert_eq!(mixer.stats().voices, VOICES as u32);
    assert_eq!(events(&mut mixer).len(), VOICES);

    mixer.start(start(99, &sound, device.time_of(device.frame() + 100))).unwrap();
    let out = device.render(4_800);
    assert!((out[4_000] - 0.64).abs() < 1e-4, "{}", out[4_000]);
    assert!(steepest(&out[..99]) < 1e-3, "the stolen voice fades");
    assert!(events(&mut mixer).contains(&VoiceEvent::Stolen { id: VoiceId(17) }));
}

#[test]
fn every_voice_beyond_the_capacity_is_reported() {
    let (mut mixer, mut device) = running(MONO);
    let sound = constant(0.001, 4_800);
    let at = device.time_of(device.frame() + 100);
    for id in 0..1_000 {
        mixer.start(start(id, &sound, at)).unwrap();
    }
    device.render(9_600);
    let events = events(&mut mixer);
    let count = |is: fn(&VoiceEvent) -> bool| events.iter().filter(|event| is(event)).count();
    let refused = count(|event| matches!(event, VoiceEvent::Refused { .. }));
    let stolen = count(|event| matches!(event, VoiceEvent::Stolen { .. }));
    let ended = count(|event| matches!(event, VoiceEvent::Ended { .. }));
    assert_eq!((refused, stolen, ended), (488, 512 - VOICES, VOICES));
    assert_eq!(Arc::strong_count(&sound), 1);
}

#[test]
fn without_polling_no_sound_is_leaked_and_the_full_queue_is_reported() {
    let (mut mixer, mut device) = running(MONO);
    let sound = constant(0.001, 10);
    let mut refused = false;
    for round in 0..100 {
        for id in 0..100 {
            refused |= mixer.start(start(round * 100 + id, &sound, device.time_of(0))).is_err();
        }
        device.render(512);
    }
    assert!(refused, "the queue fills up");
    assert!(Arc::strong_count(&sound) > 1_000);
    for _ in 0..20 {
        while mixer.poll().is_some() {}
        device.render(512);
    }
    while mixer.poll().is_some() {}
    assert_eq!(Arc::strong_count(&sound), 1);
}

#[test]
fn the_rate_changes_pitch_and_length() {
    for rate in [0.25_f32, 0.5, 1.5, 4.0] {
        let (mut mixer, mut device) = running(MONO);
        let at = device.time_of(device.frame() + 1_000);
        let sound = sine(0.05, 48_000, 48_000);
        mixer.start(VoiceStart { rate, ..start(1, &sound, at) }).unwrap();
        let out = device.render(200_000);
        for n in (100..10_000).step_by(7) {
            let expected = 0.5 * (f64::from(n) * f64::from(rate) * 0.05).sin();
            let value = f64::from(out[1_000 + n as usize]);
            assert!((value - expected).abs() < 1e-4, "rate {rate}, frame {n}");
        }
        let last = out.iter().rposition(|value| value.abs() > 1e-2).unwrap() as f32 - 1_000.0;
        assert!((last - 48_000.0 / rate).abs() < 100.0, "rate {rate} ends after {last}");
    }
}

#[test]
fn a_sound_at_another_sample_rate_keeps_its_pitch() {
    let (mut mixer, mut device) = running(MONO);
    let sound = sine(0.05, 44_100, 44_100);
    mixer.start(start(1, &sound, device.time_of(device.frame() + 1_000))).unwrap();
    let out = device.render(60_000);
    for n in 100..40_000 {
        let expected = 0.5 * (f64::from(n) * 0.05 * 44_100.0 / 48_000.0).sin();
        assert!((f64::from(out[1_000 + n as usize]) - expected).abs() < 1e-4, "frame {n}");
    }
}

#[test]
fn the_volume_is_ramped_to_exactly_its_target() {
    let (mut mixer, mut device) = running(MONO);
    let sound = constant(0.5, 48_000);
    mixer.start(start(1, &sound, device.time_of(device.frame()))).unwrap();
    device.render(4_800);
    mixer.set_volume(0.5).unwrap();
    let out = device.render(4_800);
    assert!(steepest(&out) < 0.001 && out[1_000..].iter().all(|value| *value == 0.25));
    mixer.set_volume(0.0).unwrap();
    assert!(is_silent(&device.render(4_800)[1_000..]));
}

#[test]
fn a_retimed_waiting_voice_starts_at_its_new_instant() {
    let (mut mixer, mut device) = running(MONO);
    let sound = ramp(100);
    let frame = device.frame();
    mixer.start(start(1, &sound, device.time_of(frame + 4_000))).unwrap();
    mixer.start(start(2, &sound, device.time_of(frame + 2_000))).unwrap();
    mixer.retime(VoiceId(1), device.time_of(frame + 1_000)).unwrap();
    let out = device.render(8_192);
    assert_eq!(out[1_000..1_100], *sound.samples());
    assert_eq!(out[2_000..2_100], *sound.samples());
    assert!(is_silent(&out[2_100..]));
}

#[test]
fn a_voice_that_is_far_off_jumps_without_a_click() {
    let (mut mixer, mut device) = running(MONO);
    let sound = ramp(96_000);
    let frame = device.frame();
    mixer.start(start(1, &sound, device.time_of(frame))).unwrap();
    device.render(9_600);
    mixer.retime(VoiceId(1), device.time_of(frame - 24_000)).unwrap();
    let out = device.render(9_600);
    assert!((out[1_000] - sound.samples()[9_600 + 24_000 + 1_000]).abs() < 1e-5);
    assert!(steepest(&out) < 0.005, "{}", steepest(&out));
    device.render(96_000);
    assert_eq!(events(&mut mixer).len(), 2);
    assert_eq!(Arc::strong_count(&sound), 1);
}

/// Shifts the device's remaining output later while a voice sounds, and asserts that the voice
/// returns to its position.
fn expect_back_in_place((mut mixer, mut device): (MixerHandle, OfflineDevice)) {
    device.render(1_024);
    let sound = ramp(96_000);
    let frame = device.frame();
    assert!(mixer.start(start(1, &sound, device.time_of(frame))).is_ok());
    device.render(512);
    // 9 ms: less than the threshold for a jump, and 18 seconds of gliding.
    device.stall(9_000_000);
    device.render(14_400);
    let due = (device.frame() - frame) as usize + 432;
    let out = device.render(512);
    // A tenth of a millisecond, on a ramp with this slope per frame.
    let most = 4.8 / (4.0 * 96_000.0);
    assert!((out[0] - sound.samples()[due]).abs() < most, "{} at {due}", out[0]);
}

#[test]
fn a_voice_returns_to_its_position_soon_after_a_stall() {
    expect_back_in_place(running(MONO));
}

#[test]
fn a_voice_reaches_its_position_soon_after_implausible_first_timestamps() {
    expect_back_in_place(OfflineDevice::open(MONO));
}

#[test]
fn the_peak_is_held_until_it_is_read() {
    let (mut mixer, mut device) = running(STEREO);
    let sound = Arc::new(SoundBuffer::new([0.5, 0.25].repeat(100), 2, 48_000));
    mixer.start(start(1, &sound, device.time_of(device.frame() + 8))).unwrap();
    device.render(4_800);
    assert_eq!(mixer.take_peak(), [0.5, 0.25]);
    assert_eq!(mixer.take_peak(), [0.0, 0.0]);
}
