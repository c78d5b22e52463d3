//! Changes beneath a mixer's output, on a real PulseAudio: the server starts late, restarts or has
//! another address, another program moves the stream, a device is busy or missing.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::pulse_lab::{Machine, PATIENCE, Pulse};
use downbeat_audio::{
    DeviceChoice, MixerHandle, OutputEvent, SoundBuffer, VoiceEvent, VoiceId, VoiceStart,
};
use downbeat_platform::local_time::LocalClock;

/// Shorter than the interval at which the output manager polls the devices.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Attempts on a busy machine.
const TRIES: u32 = 10;

fn named(name: &str) -> DeviceChoice {
    DeviceChoice::Named(name.to_owned())
}

/// Plays sounds until one starts in time: a machine so busy that it misses a block is inconclusive.
fn expect_in_time(mixer: &mut MixerHandle, clock: LocalClock) {
    let latenesses: Vec<_> =
        (0..TRIES).map(|_| play(mixer, clock)).take_while(|l| *l > 0).collect();
    assert!(latenesses.len() < TRIES as usize, "late by {latenesses:?} ns");
}

/// Plays one sound. Returns its lateness in nanoseconds.
fn play(mixer: &mut MixerHandle, clock: LocalClock) -> i64 {
    let sound = Arc::new(SoundBuffer::new(vec![0.1; 480], 1, mixer.format().rate));
    let at = clock.now().plus_nanos(500_000_000);
    let id = VoiceId(0);
    mixer
        .start(VoiceStart { id, source: sound.into(), at, gain: 1.0, rate: 1.0, pan: 0.0 })
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut late = None;
    while Instant::now() < deadline {
        match mixer.poll() {
            Some(VoiceEvent::Started { lateness_nanos, .. }) => late = Some(lateness_nanos),
            // A sound that is scheduled after its end has no start.
            Some(VoiceEvent::Ended { .. }) => return late.unwrap_or(i64::MAX),
            Some(other) => panic!("{other:?}"),
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("the sound has not ended");
}

#[test]
fn a_server_is_found_by_every_form_of_its_address() {
    let pulse = Pulse::start();
    pulse.load_sink("room", 48_000);
    let port = pulse.listen_on_port();
    let socket = pulse.socket();
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let machine = machine.trim();
    for addresses in [
        format!("unix:{socket}"),
        socket.clone(),
        format!("tcp:127.0.0.1:{port}"),
        format!("tcp4:localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("{{{machine}}}unix:{socket}"),
        format!("{{0123}}unix:{socket}.not unix:{socket}.not tcp:127.0.0.1:1 {socket}"),
    ] {
        pulse.let_be_used(&addresses);
        let clock = LocalClock::start();
        let machine = Machine::start(DeviceChoice::Default, clock);
        let (_mixer, device) = machine.opened("room");
        assert_eq!(device.id, "pulseaudio:room", "{addresses}");
    }
}

#[test]
fn a_sink_may_have_the_name_of_alsas_null_device() {
    let pulse = Pulse::start();
    // The name of a null sink that is loaded without one.
    pulse.load_sink("null", 48_000);
    pulse.let_be_used(&pulse.address());
    let (_mixer, device) =
        Machine::start(DeviceChoice::Default, LocalClock::start()).opened("null");
    assert_eq!(device.id, "pulseaudio:null");
}

#[test]
fn a_stream_moved_by_another_program_is_reopened_on_its_new_device() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("left", 48_000);
    pulse.load("module-null-sink sink_name=right rate=48000 channels=1");
    pulse.pactl(&["set-default-sink", "left"]);
    for choice in [DeviceChoice::Default, named("left")] {
        let clock = LocalClock::start();
        let machine = Machine::start(choice, clock);
        machine.opened("left");
        let stream = || {
            let streams = pulse.pactl(&["list", "short", "sink-inputs"]);
            streams.split_whitespace().next().unwrap().to_owned()
        };
        pulse.pactl(&["move-sink-input", &stream(), "right"]);
        assert_eq!(machine.fallback().as_deref(), Some("moved here by another program"));
        let (mut mixer, device) = machine.opened("right");
        assert_eq!((device.channels, mixer.format().channels), (1, 1));
        expect_in_time(&mut mixer, clock);

        pulse.pactl(&["move-sink-input", &stream(), "left"]);
        assert_eq!(machine.fallback(), None);
        let (mut mixer, _) = machine.opened("left");
        expect_in_time(&mut mixer, clock);
    }
}

#[test]
fn a_missing_device_is_reported_and_used_again_once_it_is_back() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    let clock = LocalClock::start();
    let machine = Machine::start(named("usb"), clock);
    assert_eq!(machine.fallback().as_deref(), Some("usb is not available"));
    machine.opened("room");
    let usb = pulse.load_sink("usb", 48_000);
    assert_eq!(machine.fallback(), None);
    machine.opened("usb");
    // As on most desktops, the streams of a device that disappears are moved to another.
    pulse.load("module-rescue-streams");
    pulse.unload(&usb);
    assert!(machine.fallback().is_some_and(|reason| reason.ends_with("is not available")));
    let (mut mixer, _) = machine.opened("room");
    expect_in_time(&mut mixer, clock);
    pulse.load_sink("usb", 48_000);
    machine.opened("usb");
}

#[test]
fn a_busy_device_is_reported_and_used_again_once_it_is_free() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    pulse.load_sink("usb", 48_000);
    pulse.pactl(&["set-default-sink", "room"]);
    // As if another sound system had taken the device.
    pulse.pactl(&["suspend-sink", "usb", "1"]);
    let clock = LocalClock::start();
    let machine = Machine::start(named("usb"), clock);
    machine.opened("usb");
    assert!(machine.fallback().is_some_and(|reason| reason.contains("stopped playing")));
    let (mut mixer, _) = machine.opened("room");
    expect_in_time(&mut mixer, clock);
    pulse.pactl(&["suspend-sink", "usb", "0"]);
    assert_eq!(machine.fallback(), None);
    let (mut mixer, _) = machine.opened("usb");
    expect_in_time(&mut mixer, clock);
}

#[test]
fn changes_of_the_devices_are_reported_at_once() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    let machine = Machine::start(DeviceChoice::Default, LocalClock::start());
    machine.opened("room");
    let changed = Instant::now();
    pulse.load_sink("hall", 48_000);
    machine.wait("that the sink hall exists", |message| match message {
        OutputEvent::Devices(devices) => {
            devices.iter().any(|device| device.answers_to("hall")).then_some(())
        }
        _ => None,
    });
    pulse.pactl(&["set-default-sink", "hall"]);
    machine.opened("hall");
    assert!(changed.elapsed() < AT_ONCE, "the report took {:?}", changed.elapsed());
}

#[test]
fn a_player_sounds_in_time_again_after_the_server_has_restarted() {
    let mut pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    let clock = LocalClock::start();
    let machine = Machine::start(named("room"), clock);
    for _ in 0..3 {
        let (mut mixer, _) = machine.opened("room");
        expect_in_time(&mut mixer, clock);
        pulse.kill();
        machine.lost();
        pulse.start_again();
        pulse.load_sink("room", 48_000);
    }
    let (mut mixer, _) = machine.opened("room");
    expect_in_time(&mut mixer, clock);
}

#[test]
fn a_server_that_starts_late_replaces_alsa() {
    let mut pulse = Pulse::absent();
    pulse.let_be_used(&pulse.address());
    // A machine without a sound card, with a device in ALSA's configuration.
    pulse.let_alsa_have("</usr/share/alsa/alsa.conf>\npcm.!default { type null }\n");
    let clock = LocalClock::start();
    let machine = Machine::start(DeviceChoice::Default, clock);
    machine.wait("that ALSA is open", |message| match message {
        OutputEvent::Opened { device, .. } => {
            assert!(device.id.starts_with("alsa:"), "{device:?}");
            Some(())
        }
        _ => None,
    });
    pulse.start_again();
    pulse.load_sink("room", 48_000);
    let (mut mixer, device) = machine.opened("room");
    assert_eq!(device.id, "pulseaudio:room");
    expect_in_time(&mut mixer, clock);
}

#[test]
fn a_restarted_output_is_a_new_stream_on_the_same_device() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    let clock = LocalClock::start();
    let machine = Machine::start(named("room"), clock);
    let (former, _) = machine.opened("room");
    machine.manager.restart();
    let (mut mixer, device) = machine.opened("room");
    assert_eq!(device.id, "pulseaudio:room");
    expect_in_time(&mut mixer, clock);
    drop(former);
    let streams = pulse.pactl(&["list", "short", "sink-inputs"]);
    assert_eq!(streams.lines().count(), 1, "{streams}");
}
