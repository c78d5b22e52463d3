//! What may change under a player's output, on a real PulseAudio: the server comes late, restarts or
//! lies elsewhere, another program moves the stream, a device is busy or gone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of a test may fail it.

#[path = "support/pulse.rs"]
mod pulse;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use downbeat::audio::{
    DeviceChoice, DeviceToSession, Player, PlayerEvent, SoundBuffer, VoiceId, VoiceStart,
};
use downbeat::time::LocalClock;
use pulse::{Machine, PATIENCE, Pulse};

/// Sooner than any device thread looks by itself while it plays.
const AT_ONCE: Duration = Duration::from_secs(2);

/// How often a busy machine may try.
const TRIES: u32 = 10;

fn named(name: &str) -> DeviceChoice {
    DeviceChoice::Named(name.to_owned())
}

/// Plays sounds until one begins at the instant it was told: a machine so busy that it misses a block
/// says nothing.
fn sounds_in_time(player: &mut Player, clock: LocalClock) {
    let latenesses: Vec<_> =
        (0..TRIES).map(|_| play(player, clock)).take_while(|l| *l > 0).collect();
    assert!(latenesses.len() < TRIES as usize, "late by {latenesses:?} ns");
}

/// Plays one sound. Returns by how many nanoseconds it began late.
fn play(player: &mut Player, clock: LocalClock) -> i64 {
    let sound = Arc::new(SoundBuffer::new(vec![0.1; 480], 1, player.format().rate));
    let at = clock.now().plus_nanos(500_000_000);
    let id = VoiceId(0);
    player.start(VoiceStart { id, sound, at, gain: 1.0, rate: 1.0, pan: 0.0 }).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut late = None;
    while Instant::now() < deadline {
        match player.poll() {
            Some(PlayerEvent::Started { lateness_nanos, .. }) => late = Some(lateness_nanos),
            // One that came after its end was not started.
            Some(PlayerEvent::Ended { .. }) => return late.unwrap_or(i64::MAX),
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
        let keeper = Machine::start(DeviceChoice::Default, clock);
        let (mut player, device) = keeper.opened("room");
        assert_eq!(device.id, "pulseaudio:room", "{addresses}");
        sounds_in_time(&mut player, clock);
    }
}

#[test]
fn a_stream_that_another_program_moves_is_opened_anew_on_its_new_device() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("left", 48_000);
    pulse.load("module-null-sink sink_name=right rate=48000 channels=1");
    pulse.pactl(&["set-default-sink", "left"]);
    for choice in [DeviceChoice::Default, named("left")] {
        let clock = LocalClock::start();
        let keeper = Machine::start(choice, clock);
        keeper.opened("left");
        let stream = || {
            let streams = pulse.pactl(&["list", "short", "sink-inputs"]);
            streams.split_whitespace().next().unwrap().to_owned()
        };
        pulse.pactl(&["move-sink-input", &stream(), "right"]);
        assert_eq!(keeper.instead().as_deref(), Some("moved here by another program"));
        let (mut player, device) = keeper.opened("right");
        assert_eq!((device.channels, player.format().channels), (1, 1));
        sounds_in_time(&mut player, clock);

        pulse.pactl(&["move-sink-input", &stream(), "left"]);
        assert_eq!(keeper.instead(), None);
        let (mut player, _) = keeper.opened("left");
        sounds_in_time(&mut player, clock);
    }
}

#[test]
fn a_named_device_that_is_gone_is_told_of_and_returned_to() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    let clock = LocalClock::start();
    let keeper = Machine::start(named("usb"), clock);
    assert_eq!(keeper.instead().as_deref(), Some("usb is not there"));
    keeper.opened("room");
    let usb = pulse.load_sink("usb", 48_000);
    assert_eq!(keeper.instead(), None);
    keeper.opened("usb");
    // As most desktops have it: streams of a device that goes are moved to another.
    pulse.load("module-rescue-streams");
    pulse.unload(&usb);
    assert!(keeper.instead().is_some_and(|reason| reason.ends_with("is not there")));
    let (mut player, _) = keeper.opened("room");
    sounds_in_time(&mut player, clock);
    pulse.load_sink("usb", 48_000);
    keeper.opened("usb");
}

#[test]
fn a_named_device_that_is_busy_is_told_of_and_returned_to() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    pulse.load_sink("usb", 48_000);
    pulse.pactl(&["set-default-sink", "room"]);
    // As for a device that another sound system has taken.
    pulse.pactl(&["suspend-sink", "usb", "1"]);
    let clock = LocalClock::start();
    let keeper = Machine::start(named("usb"), clock);
    keeper.opened("usb");
    assert!(keeper.instead().is_some_and(|reason| reason.contains("stopped asking")));
    let (mut player, _) = keeper.opened("room");
    sounds_in_time(&mut player, clock);
    pulse.pactl(&["suspend-sink", "usb", "0"]);
    assert_eq!(keeper.instead(), None);
    let (mut player, _) = keeper.opened("usb");
    sounds_in_time(&mut player, clock);
}

#[test]
fn changes_of_the_devices_are_heard_of_at_once() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    let keeper = Machine::start(DeviceChoice::Default, LocalClock::start());
    keeper.opened("room");
    let changed = Instant::now();
    pulse.load_sink("hall", 48_000);
    keeper.wait("that there is a hall", |message| match message {
        DeviceToSession::Devices(devices) => {
            devices.iter().any(|device| device.answers_to("hall")).then_some(())
        }
        _ => None,
    });
    pulse.pactl(&["set-default-sink", "hall"]);
    keeper.opened("hall");
    assert!(changed.elapsed() < AT_ONCE, "it took {:?}", changed.elapsed());
}

#[test]
fn a_player_sounds_in_time_again_after_the_server_has_restarted() {
    let mut pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    let clock = LocalClock::start();
    let keeper = Machine::start(named("room"), clock);
    for _ in 0..3 {
        let (mut player, _) = keeper.opened("room");
        sounds_in_time(&mut player, clock);
        pulse.kill();
        keeper.lost();
        pulse.start_again();
        pulse.load_sink("room", 48_000);
    }
    let (mut player, _) = keeper.opened("room");
    sounds_in_time(&mut player, clock);
}

#[test]
fn a_server_that_comes_late_takes_the_place_of_alsa() {
    let mut pulse = Pulse::absent();
    pulse.let_be_used(&pulse.address());
    // A machine without a sound card: what ALSA has was set up by its user.
    pulse.let_alsa_have("</usr/share/alsa/alsa.conf>\npcm.!default { type null }\n");
    let clock = LocalClock::start();
    let keeper = Machine::start(DeviceChoice::Default, clock);
    keeper.wait("that ALSA is open", |message| match message {
        DeviceToSession::Opened { device, .. } => {
            assert!(device.id.starts_with("alsa:"), "{device:?}");
            Some(())
        }
        _ => None,
    });
    pulse.start_again();
    pulse.load_sink("room", 48_000);
    let (mut player, device) = keeper.opened("room");
    assert_eq!(device.id, "pulseaudio:room");
    sounds_in_time(&mut player, clock);
}
