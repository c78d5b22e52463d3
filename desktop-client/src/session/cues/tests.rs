//! Cues on an offline device: what sounds, frame by frame, in virtual time.

mod driven;
mod outcomes;

use downbeat_audio::{OutputFormat, offline::OfflineDevice};
use downbeat_protocol::{
    By, ClientId, LoopFrames, PastValue, PastValues, RelayTime, TONE, Tone, VariableState,
};

use super::*;
use crate::clock::{ClockEstimator, Exchange};

const RATE: u32 = 48_000;
const BLOCK: usize = 480;
const MILLI: i64 = 1_000_000;

/// Relay time runs this far ahead of local time here.
const AHEAD_MICROS: i64 = 5_000_000;

/// A sound of a second whose frames hold their own number, far below the limiter.
fn ramp() -> Arc<SoundBuffer> {
    let samples = (1..=RATE).map(|n| n as f32 / RATE as f32 * 0.5).collect();
    Arc::new(SoundBuffer::new(samples, 1, RATE))
}

fn bank() -> Vec<SoundInfo> {
    let info = |name: &str| SoundInfo {
        name: name.into(),
        hash: format!("hash of {name}"),
        bytes: 1,
        frames: u64::from(RATE),
        rate: RATE,
        channels: 1,
        looped: None,
        gain_db: 0.0,
    };
    let part = LoopFrames { start: 0, end: 4_800 };
    vec![info("ramp"), info("other"), SoundInfo { looped: Some(part), ..info("loop") }]
}

fn trigger(seq: u64, play_at: LocalTime) -> Trigger {
    Trigger {
        seq,
        play_at: relay(play_at),
        sound: "ramp".into(),
        gain: 1.0,
        rate: 1.0,
        pan: 0.0,
        tone: None,
        target: None,
        stagger_micros: 0,
        on_arrival: false,
        data: None,
        by: By { id: ClientId(1), name: "a".into() },
    }
}

fn relay(local: LocalTime) -> RelayTime {
    RelayTime::from_micros((local.as_micros() + AHEAD_MICROS).cast_unsigned())
}

/// An estimate from round trips of zero length.
fn clock() -> ClockEstimate {
    let mut estimator = ClockEstimator::new();
    for probe in 0..16 {
        let at = LocalTime::from_nanos(probe * 20 * MILLI);
        let there = relay(at);
        estimator.observe(Exchange { sent: at, received: there, replied: there, arrived: at });
    }
    estimator.estimate().unwrap()
}

fn stop(seq: u64, stop_at: LocalTime) -> Stop {
    let by = By { id: ClientId(1), name: "a".into() };
    Stop { seq, stop_at: relay(stop_at), trigger: None, sound: None, by }
}

/// Cues on a device, both at the same virtual time.
struct Rig {
    cues: Cues,
    device: OfflineDevice,
}

impl Rig {
    fn open() -> Self {
        let mut rig = Self { cues: Cues::new(1.0), device: device(RATE).1 };
        rig.cues.set_bank(&bank());
        rig.cues.set_clock(Some(clock()), rig.now());
        rig
    }

    /// With a decoded sound, and an output whose device clock has settled.
    fn ready() -> Self {
        let mut rig = Self::open();
        rig.open_output();
        rig.cues.set_sound("hash of ramp".into(), ramp(), rig.now());
        rig
    }

    fn open_output(&mut self) {
        self.open_output_at(RATE);
        self.run(RATE as usize / 2);
    }

    /// Opens an output of that rate that has not rendered anything yet.
    fn open_output_at(&mut self, rate: u32) {
        let (player, device) = device(rate);
        self.device = device.starting_at(self.now());
        self.cues.set_output(Some(player), self.now());
    }

    fn now(&self) -> LocalTime {
        self.device.time_of(self.device.frame())
    }

    fn in_millis(&self, millis: i64) -> LocalTime {
        self.now().plus_nanos(millis * MILLI)
    }

    /// Renders on, and returns what sounded.
    fn run(&mut self, frames: usize) -> Vec<f32> {
        let sounded = self.device.render(frames);
        self.cues.tick(self.now());
        sounded
    }

    fn schedule(&mut self, seq: u64, at: LocalTime) -> Scheduled {
        self.cues.schedule(trigger(seq, at), self.now()).unwrap()
    }
}

fn device(rate: u32) -> (MixerHandle, OfflineDevice) {
    let (player, device) = OfflineDevice::open(OutputFormat { rate, channels: 1 });
    (player, device.with_block(BLOCK))
}

/// The frame of the sound that is `at` frames into `sounded`.
fn position(sounded: &[f32], at: usize) -> f32 {
    sounded[at] / 0.5 * RATE as f32
}

fn assert_at(position: f32, expected: f32) {
    assert!((position - expected).abs() < 1.5, "at frame {position}, not {expected}");
}

#[test]
fn a_trigger_starts_on_its_frame() {
    let mut rig = Rig::ready();
    // This device does not report its latency, so ASSUMED_LATENCY_NANOS applies.
    let schedule = rig.schedule(1, rig.in_millis(40));
    assert!(!schedule.late);
    let sounded = rig.run(4800);
    // It may start between two frames, and then the interpolation rings before the first.
    assert!(sounded[..1900].iter().all(|level| *level == 0.0));
    assert_at(position(&sounded, 2400), 481.0);
    assert_eq!(rig.cues.tally(), Tally { triggers: 1, late: 0, lateness_micros: Some(0) });
}

#[test]
fn a_sound_that_is_decoded_late_joins_in_the_middle() {
    let mut rig = Rig::open();
    rig.open_output();
    rig.schedule(1, rig.now());
    let before = rig.run(4800);
    assert!(before.iter().all(|level| *level == 0.0));
    rig.cues.set_sound("hash of ramp".into(), ramp(), rig.now());
    let sounded = rig.run(4800);
    // By then its fade-in is over.
    assert_at(position(&sounded, 2400), 7201.0);
    assert_eq!(rig.cues.tally().late, 1);
}

#[test]
fn without_a_clock_estimate_a_trigger_waits_for_one() {
    let mut rig = Rig::ready();
    rig.cues.set_clock(None, rig.now());
    rig.schedule(1, rig.in_millis(10));
    assert!(rig.run(4800).iter().all(|level| *level == 0.0));
    rig.cues.set_clock(Some(clock()), rig.now());
    assert_at(position(&rig.run(4800), 2400), 6721.0);
}

#[test]
fn a_new_output_continues_where_the_former_would_be() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.now());
    rig.run(4800);
    rig.cues.set_output(None, rig.now());
    assert!(rig.cues.is_active());
    // Opening the next one takes half a second.
    rig.open_output();
    let sounded = rig.run(BLOCK);
    assert_at(position(&sounded, 100), 4800.0 + 24_000.0 + 101.0);
}

#[test]
fn a_stop_ends_earlier_triggers_and_no_later_ones() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.now());
    rig.run(4800);
    rig.cues.stop(&stop(2, rig.in_millis(20)), rig.now());
    let later = rig.in_millis(100);
    rig.schedule(3, later);
    let sounded = rig.run(9600);
    assert_at(position(&sounded, 900), 5701.0);
    assert!(sounded[1400..4700].iter().all(|level| *level == 0.0), "silent in between");
    assert_at(position(&sounded, 4800 + 240), 241.0);
}

#[test]
fn a_trigger_that_is_stopped_before_its_sound_is_decoded_stays_silent() {
    let mut rig = Rig::open();
    rig.open_output();
    rig.schedule(1, rig.now());
    rig.cues.stop(&stop(2, rig.in_millis(5)), rig.now());
    rig.run(4800);
    rig.cues.set_sound("hash of ramp".into(), ramp(), rig.now());
    let sounded = rig.run(9600);
    assert!(sounded[480..].iter().all(|level| *level == 0.0));
}

#[test]
fn a_reconnection_stops_what_the_relay_no_longer_sounds() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.now());
    rig.schedule(2, rig.now());
    rig.run(4800);
    rig.cues.keep_only(&[2], 0, rig.now());
    let sounded = rig.run(4800);
    assert_at(position(&sounded, 2400), 7201.0);
}

#[test]
fn a_reconnection_stops_nothing_that_the_relay_may_have_forgotten() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.now());
    rig.run(4800);
    rig.cues.keep_only(&[], 2, rig.now());
    assert_at(position(&rig.run(4800), 2400), 7201.0);
    rig.cues.keep_only(&[], 1, rig.now());
    assert!(rig.run(4800)[1000..].iter().all(|level| *level == 0.0));
}

#[test]
fn after_a_restart_of_the_relay_voices_go_on_until_any_stop() {
    let mut rig = Rig::ready();
    rig.schedule(900, rig.now());
    rig.run(4800);
    rig.cues.leave_epoch();
    rig.cues.set_clock(Some(clock()), rig.now());
    assert_at(position(&rig.run(4800), 2400), 7201.0);
    rig.cues.stop(&stop(1, rig.in_millis(10)), rig.now());
    let sounded = rig.run(4800);
    assert!(sounded[1000..].iter().all(|level| *level == 0.0));
}

#[test]
fn stop_all_ends_all_cues_without_relay_time() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.now());
    rig.schedule(2, rig.in_millis(200));
    let undecoded = Trigger { sound: "other".into(), ..trigger(3, rig.now()) };
    rig.cues.schedule(undecoded, rig.now()).unwrap();
    rig.run(4800);
    rig.cues.set_clock(None, rig.now());
    rig.cues.stop_all(rig.now());
    rig.cues.set_sound("hash of other".into(), ramp(), rig.now());
    let sounded = rig.run(RATE as usize);
    assert!(sounded[..BLOCK].iter().any(|level| *level != 0.0), "a fade, not a click");
    assert!(sounded[BLOCK..].iter().all(|level| *level == 0.0));
    assert!(!rig.cues.is_active());
}

#[test]
fn a_negative_extra_latency_does_not_delay_stop_all() {
    let mut rig = Rig::ready();
    rig.cues.set_extra_latency(ExtraLatency::from_millis(-200.0), rig.now());
    rig.schedule(1, rig.now());
    assert!(rig.run(14_400).iter().any(|level| *level != 0.0));
    rig.cues.stop_all(rig.now());
    assert!(rig.run(9600)[BLOCK..].iter().all(|level| *level == 0.0));
}

#[test]
fn stopped_voices_stay_silent_on_a_new_output() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.now());
    rig.run(4800);
    rig.cues.stop_all(rig.now());
    rig.open_output_at(RATE);
    assert!(rig.run(4800).iter().all(|level| *level == 0.0));
}

#[test]
fn a_trigger_without_an_instant_is_not_late() {
    let mut rig = Rig::ready();
    // As with a tutorial relay.
    rig.cues.set_clock(None, rig.now());
    let schedule = rig.cues.schedule_now(trigger(0, LocalTime::default()), rig.now()).unwrap();
    assert!(!schedule.late);
    let sounded = rig.run(9600);
    let first = sounded.iter().position(|level| *level > 0.0).unwrap();
    assert_at(position(&sounded, first + 100), 101.0);
}

#[test]
fn a_trigger_of_an_unknown_sound_is_not_scheduled() {
    let mut rig = Rig::ready();
    let unknown = Trigger { sound: "gone".into(), ..trigger(1, rig.now()) };
    assert_eq!(rig.cues.schedule(unknown, rig.now()), None);
}

#[test]
fn cues_that_are_over_are_dropped() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.now());
    rig.run(RATE as usize + 4800);
    assert!(!rig.cues.is_active());
}

#[test]
fn a_bank_with_a_changed_file_drops_the_old_sound() {
    let mut rig = Rig::ready();
    let mut changed = bank();
    changed[0].hash = "another".into();
    rig.cues.set_bank(&changed);
    rig.schedule(1, rig.now());
    assert!(rig.run(4800).iter().all(|level| *level == 0.0));
}

#[test]
fn an_extra_latency_sends_starts_and_stops_earlier() {
    let mut rig = Rig::ready();
    rig.cues.set_extra_latency(ExtraLatency::from_millis(10.0), rig.now());
    let at = rig.in_millis(60);
    let schedule = rig.schedule(1, at);
    assert_eq!((schedule.at.nanos_since(at).abs() < 2_000, schedule.late), (true, false));
    rig.cues.stop(&stop(2, rig.in_millis(110)), rig.now());
    let sounded = rig.run(9600);
    assert!(sounded[..2380].iter().all(|level| *level == 0.0));
    assert_at(position(&sounded, 2880), 481.0);
    assert_at(position(&sounded, 4700), 2301.0);
    assert!(sounded[5100..].iter().all(|level| *level == 0.0), "the stop is earlier too");
}

#[test]
fn a_changed_extra_latency_moves_waiting_and_sounding_voices() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.in_millis(40));
    rig.cues.set_extra_latency(ExtraLatency::from_millis(-10.0), rig.now());
    assert_at(position(&rig.run(4800), 2880), 481.0);
    // Too far to glide: it jumps, with a crossfade.
    rig.cues.set_extra_latency(ExtraLatency::from_millis(90.0), rig.now());
    rig.run(4800);
    assert_at(position(&rig.run(4800), 0), 9600.0 - 1920.0 + 4320.0 + 1.0);
}

#[test]
fn only_a_positive_extra_latency_needs_more_lead() {
    let mut rig = Rig::ready();
    let without = rig.cues.reach_nanos();
    rig.cues.set_extra_latency(ExtraLatency::from_millis(20.0), rig.now());
    assert_eq!(rig.cues.reach_nanos(), without + 20 * MILLI);
    rig.cues.set_extra_latency(ExtraLatency::from_millis(-20.0), rig.now());
    assert_eq!(rig.cues.reach_nanos(), without);
}

#[test]
fn a_trigger_within_the_extra_latency_is_late() {
    let mut rig = Rig::ready();
    rig.cues.set_extra_latency(ExtraLatency::from_millis(60.0), rig.now());
    assert!(rig.schedule(1, rig.in_millis(40)).late);
    rig.run(4800);
    assert_eq!(rig.cues.tally().late, 1);
}

#[test]
fn an_output_that_opens_during_a_sound_never_exceeds_the_volume() {
    const QUIET: f32 = 0.01;
    let mut rig = Rig::open();
    rig.cues.set_volume(QUIET);
    rig.cues.set_sound("hash of ramp".into(), ramp(), rig.now());
    rig.schedule(1, rig.now());
    for rate in [RATE, RATE, 44_100] {
        rig.open_output_at(rate);
        let loudest = rig.run(9600).into_iter().map(f32::abs).fold(0.0, f32::max);
        assert!(loudest > 0.0, "the sound goes on at {rate} Hz");
        // The sound itself reaches one half.
        assert!(loudest <= 0.5 * QUIET, "{loudest} at {rate} Hz");
    }
}

#[test]
fn a_sound_at_another_rate_plays_at_once_and_in_time() {
    let mut rig = Rig::ready();
    rig.open_output_at(44_100);
    rig.run(44_100 / 2);
    rig.schedule(1, rig.in_millis(40));
    let sounded = rig.run(9600);
    // 20 ms after the instant: 882 frames of the output, 960 of the sound.
    assert_at(position(&sounded, 1764 + 882), 961.0);
    assert_eq!(rig.cues.tally().late, 0);
}

fn updates(rig: &mut Rig) -> Vec<VoiceUpdate> {
    rig.cues.take_updates()
}

#[test]
fn a_voice_is_scheduled_starts_and_ends() {
    let mut rig = Rig::ready();
    let at = rig.in_millis(40);
    rig.schedule(7, at);
    let scheduled = updates(&mut rig);
    let [VoiceUpdate::Scheduled(voice)] = scheduled.as_slice() else { panic!("{scheduled:?}") };
    assert_eq!((voice.seq, voice.sound.as_str()), (7, "ramp"));
    assert!(voice.at.nanos_since(at).abs() < 2_000);
    assert_eq!(voice.duration_nanos, Some(1_000_000_000));
    let voice = voice.voice;
    rig.run(4800);
    assert_eq!(updates(&mut rig), [VoiceUpdate::Started { voice, lateness_micros: 0 }]);
    rig.run(RATE as usize);
    assert_eq!(updates(&mut rig), [VoiceUpdate::Ended { voice, reason: VoiceEnd::Finished }]);
}

#[test]
fn a_voice_that_never_sounds_ends_unheard() {
    let mut rig = Rig::ready();
    let undecoded = Trigger { sound: "other".into(), ..trigger(1, rig.now()) };
    rig.cues.schedule(undecoded, rig.now()).unwrap();
    rig.cues.stop_all(rig.now());
    let updates = updates(&mut rig);
    let [VoiceUpdate::Scheduled(_), VoiceUpdate::Ended { reason, .. }] = updates.as_slice() else {
        panic!("{updates:?}")
    };
    assert_eq!(*reason, VoiceEnd::Unheard);
}

#[test]
fn a_loop_sounds_until_a_stop() {
    let mut rig = Rig::ready();
    rig.cues.set_sound("hash of loop".into(), ramp(), rig.now());
    let looped = Trigger { sound: "loop".into(), ..trigger(1, rig.now()) };
    rig.cues.schedule(looped, rig.now()).unwrap();
    for _ in 0..30 {
        assert_at(position(&rig.run(4800), 2400), 2401.0);
    }
    rig.cues.stop(&stop(2, rig.in_millis(10)), rig.now());
    rig.run(4800);
    assert!(rig.run(4800).iter().all(|level| *level == 0.0));
    rig.run(BLOCK);
    assert!(!rig.cues.is_active());
}

#[test]
fn a_trigger_on_arrival_is_never_late() {
    let mut rig = Rig::ready();
    let on_arrival = Trigger { on_arrival: true, ..trigger(1, rig.in_millis(-500)) };
    assert!(!rig.cues.schedule_now(on_arrival, rig.now()).unwrap().late);
    rig.run(9600);
    assert_eq!(rig.cues.tally(), Tally { triggers: 1, late: 0, lateness_micros: Some(0) });
}

#[test]
fn who_comes_later_joins_a_trigger_on_arrival_where_it_is() {
    let mut rig = Rig::ready();
    let on_arrival = Trigger { on_arrival: true, ..trigger(1, rig.in_millis(-200)) };
    rig.cues.join(on_arrival, None, rig.now()).unwrap();
    assert_at(position(&rig.run(4800), 2400), 9600.0 + 2401.0);
    assert_eq!(rig.cues.tally().late, 0);
}
