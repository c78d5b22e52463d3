//! What leaves an output, frame by frame, on a device cranked by hand.
#![allow(clippy::float_cmp)] // A copy is exact, and silence is exactly zero.

use std::sync::Arc;

use downbeat::audio::offline::OfflineDevice;
use downbeat::audio::{
    OutputFormat, Player, PlayerEvent, SoundBuffer, VOICES, VoiceId, VoiceStart,
};
use downbeat::time::LocalTime;

const MONO: OutputFormat = OutputFormat { rate: 48_000, channels: 1 };
const STEREO: OutputFormat = OutputFormat { rate: 48_000, channels: 2 };

/// A sound whose frames can all be told apart, well below the limiter.
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
    VoiceStart { id: VoiceId(id), sound, at, gain: 1.0, rate: 1.0, pan: 0.0 }
}

fn events(player: &mut Player) -> Vec<PlayerEvent> {
    std::iter::from_fn(|| player.poll()).collect()
}

fn steepest(out: &[f32]) -> f32 {
    out.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f32::max)
}

fn is_silent(out: &[f32]) -> bool {
    out.iter().all(|value| *value == 0.0)
}

/// A device that has run for a second, so that it knows its clock.
fn running(format: OutputFormat) -> (Player, OfflineDevice) {
    let (player, mut device) = OfflineDevice::open(format);
    device.render(48_000);
    (player, device)
}

#[test]
fn a_sound_begins_on_its_frame_and_is_copied_bit_by_bit() {
    for begin in [8, 9, 100, 511, 512, 513, 520, 4_000] {
        let (mut player, mut device) = running(MONO);
        let sound = ramp(960);
        player.start(start(1, &sound, device.time_of(device.frame() + begin as u64))).unwrap();
        let out = device.render(8_192);
        assert!(is_silent(&out[..begin]), "before {begin}");
        assert_eq!(out[begin..begin + 960], *sound.samples(), "{begin}");
        assert!(is_silent(&out[begin + 960..]), "after {begin}");
        assert_eq!(
            events(&mut player),
            [
                PlayerEvent::Started { id: VoiceId(1), lateness_nanos: 0 },
                PlayerEvent::Ended { id: VoiceId(1) }
            ]
        );
        assert_eq!(Arc::strong_count(&sound), 1, "the renderer has given it back");
    }
}

#[test]
fn the_size_of_the_blocks_changes_nothing() {
    for block in [1, 3, 64, 480, 512, 4_096, 100_000] {
        let (mut player, device) = OfflineDevice::open(STEREO);
        let mut device = device.with_block(block);
        device.render(200_000);
        let sound = ramp(1_000);
        for (id, ahead) in [(1, 500), (2, 517), (3, 2_000)] {
            player.start(start(id, &sound, device.time_of(device.frame() + ahead))).unwrap();
        }
        player.stop(VoiceId(3), device.time_of(device.frame() + 2_500)).unwrap();
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
fn a_start_between_two_frames_is_heard_between_them() {
    let (mut player, mut device) = running(MONO);
    let omega = std::f64::consts::TAU / 48.0;
    let onset = device.time_of(device.frame() + 1_000).plus_nanos(7_000);
    player.start(start(1, &sine(omega, 4_800, 48_000), onset)).unwrap();
    let out = device.render(8_000);
    let late = 7_000.0 * 48_000.0 * 1e-9;
    for (n, value) in out.iter().enumerate().skip(1_100).take(4_000) {
        let expected = 0.5 * ((n as f64 - 1_000.0 - late) * omega).sin();
        assert!((f64::from(*value) - expected).abs() < 1e-4, "frame {n}");
    }
}

#[test]
fn a_late_sound_is_joined_in_the_middle_and_says_how_late() {
    let (mut player, mut device) = running(MONO);
    let sound = ramp(9_600);
    // 100 ms late.
    let at = device.time_of(device.frame() - 4_800);
    player.start(start(1, &sound, at)).unwrap();
    let out = device.render(9_600);
    assert_eq!(out[200..4_800], sound.samples()[5_000..]);
    assert!(is_silent(&out[4_800..]));
    assert!(out[0].abs() < 1e-6 && out[72] < sound.samples()[4_872], "it fades in");
    let Some(PlayerEvent::Started { lateness_nanos, .. }) = player.poll() else {
        panic!("it has started")
    };
    assert!((lateness_nanos - 100_000_000).abs() < 1_000, "{lateness_nanos}");

    // And one that is over already.
    player.start(start(2, &sound, at)).unwrap();
    assert!(is_silent(&device.render(4_800)));
    assert_eq!(events(&mut player), [VoiceId(1), VoiceId(2)].map(|id| PlayerEvent::Ended { id }));
}

#[test]
fn a_stop_fades_from_its_frame_and_a_stop_before_the_start_means_silence() {
    let (mut player, mut device) = running(MONO);
    let sound = constant(0.5, 48_000);
    let frame = device.frame();
    player.start(start(1, &sound, device.time_of(frame + 100))).unwrap();
    player.start(start(2, &sound, device.time_of(frame + 100))).unwrap();
    player.stop(VoiceId(1), device.time_of(frame + 700)).unwrap();
    player.stop(VoiceId(2), device.time_of(frame + 50)).unwrap();
    let out = device.render(4_800);
    assert!(out[100..=700].iter().all(|value| *value == 0.5));
    assert!(out[701] < 0.5 && is_silent(&out[942..]));
    assert!(steepest(&out[700..]) < 0.005);
}

#[test]
fn all_voices_sound_together_and_the_quietest_makes_room() {
    let (mut player, mut device) = running(MONO);
    let sound = constant(0.01, 48_000);
    let at = device.time_of(device.frame() + 8);
    for id in 0..VOICES as u64 {
        let gain = if id == 17 { 0.5 } else { 1.0 };
        player.start(VoiceStart { gain, ..start(id, &sound, at) }).unwrap();
    }
    let out = device.render(4_800);
    assert!((out[4_000] - 0.635).abs() < 1e-4, "{}", out[4_000]);
    assert_eq!(player.stats().voices, VOICES as u32);
    assert_eq!(events(&mut player).len(), VOICES);

    player.start(start(99, &sound, device.time_of(device.frame() + 100))).unwrap();
    let out = device.render(4_800);
    assert!((out[4_000] - 0.64).abs() < 1e-4, "{}", out[4_000]);
    assert!(steepest(&out[..99]) < 1e-3, "the stolen voice fades");
    assert!(events(&mut player).contains(&PlayerEvent::Stolen { id: VoiceId(17) }));
}

#[test]
fn of_more_voices_at_once_than_there_is_room_for_each_is_accounted_for() {
    let (mut player, mut device) = running(MONO);
    let sound = constant(0.001, 4_800);
    let at = device.time_of(device.frame() + 100);
    for id in 0..1_000 {
        player.start(start(id, &sound, at)).unwrap();
    }
    device.render(9_600);
    let events = events(&mut player);
    let count = |is: fn(&PlayerEvent) -> bool| events.iter().filter(|event| is(event)).count();
    let refused = count(|event| matches!(event, PlayerEvent::Refused { .. }));
    let stolen = count(|event| matches!(event, PlayerEvent::Stolen { .. }));
    let ended = count(|event| matches!(event, PlayerEvent::Ended { .. }));
    assert_eq!((refused, stolen, ended), (488, 512 - VOICES, VOICES));
    assert_eq!(Arc::strong_count(&sound), 1);
}

#[test]
fn a_player_that_never_polls_loses_no_sound_and_is_told_when_too_much_waits() {
    let (mut player, mut device) = running(MONO);
    let sound = constant(0.001, 10);
    let mut refused = false;
    for round in 0..100 {
        for id in 0..100 {
            refused |= player.start(start(round * 100 + id, &sound, device.time_of(0))).is_err();
        }
        device.render(512);
    }
    assert!(refused, "the queue fills up");
    assert!(Arc::strong_count(&sound) > 1_000);
    for _ in 0..20 {
        while player.poll().is_some() {}
        device.render(512);
    }
    while player.poll().is_some() {}
    assert_eq!(Arc::strong_count(&sound), 1);
}

#[test]
fn rates_change_the_pitch_and_the_length() {
    for rate in [0.25_f32, 0.5, 1.5, 4.0] {
        let (mut player, mut device) = running(MONO);
        let at = device.time_of(device.frame() + 1_000);
        let sound = sine(0.05, 48_000, 48_000);
        player.start(VoiceStart { rate, ..start(1, &sound, at) }).unwrap();
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
fn a_sound_of_another_rate_keeps_its_pitch() {
    let (mut player, mut device) = running(MONO);
    let sound = sine(0.05, 44_100, 44_100);
    player.start(start(1, &sound, device.time_of(device.frame() + 1_000))).unwrap();
    let out = device.render(60_000);
    for n in 100..40_000 {
        let expected = 0.5 * (f64::from(n) * 0.05 * 44_100.0 / 48_000.0).sin();
        assert!((f64::from(out[1_000 + n as usize]) - expected).abs() < 1e-4, "frame {n}");
    }
}

#[test]
fn the_volume_glides_and_arrives_exactly() {
    let (mut player, mut device) = running(MONO);
    let sound = constant(0.5, 48_000);
    player.start(start(1, &sound, device.time_of(device.frame()))).unwrap();
    device.render(4_800);
    player.set_volume(0.5).unwrap();
    let out = device.render(4_800);
    assert!(steepest(&out) < 0.001 && out[1_000..].iter().all(|value| *value == 0.25));
    player.set_volume(0.0).unwrap();
    assert!(is_silent(&device.render(4_800)[1_000..]));
}

#[test]
fn a_retimed_voice_that_waits_begins_at_its_new_instant() {
    let (mut player, mut device) = running(MONO);
    let sound = ramp(100);
    let frame = device.frame();
    player.start(start(1, &sound, device.time_of(frame + 4_000))).unwrap();
    player.start(start(2, &sound, device.time_of(frame + 2_000))).unwrap();
    player.retime(VoiceId(1), device.time_of(frame + 1_000)).unwrap();
    let out = device.render(8_192);
    assert_eq!(out[1_000..1_100], *sound.samples());
    assert_eq!(out[2_000..2_100], *sound.samples());
    assert!(is_silent(&out[2_100..]));
}

#[test]
fn a_voice_that_is_far_off_jumps_without_a_click_to_where_it_should_be() {
    let (mut player, mut device) = running(MONO);
    let sound = ramp(96_000);
    let frame = device.frame();
    player.start(start(1, &sound, device.time_of(frame))).unwrap();
    device.render(9_600);
    player.retime(VoiceId(1), device.time_of(frame - 24_000)).unwrap();
    let out = device.render(9_600);
    assert!((out[1_000] - sound.samples()[9_600 + 24_000 + 1_000]).abs() < 1e-5);
    assert!(steepest(&out) < 0.005, "{}", steepest(&out));
    device.render(96_000);
    assert_eq!(events(&mut player).len(), 2);
    assert_eq!(Arc::strong_count(&sound), 1);
}

/// Lets a device put off all that it has yet to play, while a voice sounds on it.
fn expect_back_in_place((mut player, mut device): (Player, OfflineDevice)) {
    device.render(1_024);
    let sound = ramp(96_000);
    let frame = device.frame();
    assert!(player.start(start(1, &sound, device.time_of(frame))).is_ok());
    device.render(512);
    // 9 ms: less than what a voice jumps for by itself, and 18 seconds to glide.
    device.stall(9_000_000);
    device.render(14_400);
    let due = (device.frame() - frame) as usize + 432;
    let out = device.render(512);
    // A tenth of a millisecond, on a ramp that grows by this much a frame.
    let most = 4.8 / (4.0 * 96_000.0);
    assert!((out[0] - sound.samples()[due]).abs() < most, "{} at {due}", out[0]);
}

#[test]
fn a_voice_is_back_in_its_place_soon_after_a_stall() {
    expect_back_in_place(running(MONO));
}

#[test]
fn a_voice_is_in_its_place_soon_after_a_stream_has_begun_with_nonsense() {
    expect_back_in_place(OfflineDevice::open(MONO));
}

#[test]
fn the_meter_holds_the_peak_until_it_is_read() {
    let (mut player, mut device) = running(STEREO);
    let sound = Arc::new(SoundBuffer::new([0.5, 0.25].repeat(100), 2, 48_000));
    player.start(start(1, &sound, device.time_of(device.frame() + 8))).unwrap();
    device.render(4_800);
    assert_eq!(player.take_peak(), [0.5, 0.25]);
    assert_eq!(player.take_peak(), [0.0, 0.0]);
}
