//! The stage over a hand-cranked device: what is heard, frame by frame, in virtual time.

use downbeat_protocol::{By, ClientId, RelayTime};

use super::*;
use crate::{
    audio::offline::OfflineDevice,
    session::clock::{ClockEstimator, Exchange},
};

const RATE: u32 = 48_000;
const BLOCK: usize = 480;
const MILLI: i64 = 1_000_000;

/// Relay time runs this far ahead of local time here.
const AHEAD_MICROS: i64 = 5_000_000;

/// A sound of a second in which every frame says its own number, far below the limiter.
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
    };
    vec![info("ramp"), info("other")]
}

fn trigger(seq: u64, play_at: LocalTime) -> Trigger {
    Trigger {
        seq,
        play_at: relay(play_at),
        sound: "ramp".into(),
        gain: 1.0,
        rate: 1.0,
        pan: 0.0,
        target: None,
        data: None,
        by: By { id: ClientId(1), name: "a".into() },
    }
}

fn relay(local: LocalTime) -> RelayTime {
    RelayTime::from_micros((local.as_micros() + AHEAD_MICROS).cast_unsigned())
}

/// A clock that is known exactly, but for what a round trip of nothing leaves open.
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

/// A stage on a device, both at the same virtual time.
struct Hall {
    stage: Stage,
    device: OfflineDevice,
}

impl Hall {
    fn open() -> Self {
        let mut hall = Self { stage: Stage::new(1.0), device: device(RATE).1 };
        hall.stage.set_bank(&bank());
        hall.stage.set_clock(Some(clock()), hall.now());
        hall
    }

    /// With an output that has run for long enough to know its own time, and the sound.
    fn ready() -> Self {
        let mut hall = Self::open();
        hall.plug();
        hall.stage.set_sound("ramp".into(), ramp(), hall.now());
        hall
    }

    fn plug(&mut self) {
        self.plug_at(RATE);
        self.run(RATE as usize / 2);
    }

    /// Opens an output of that rate, which has not rendered anything yet.
    fn plug_at(&mut self, rate: u32) {
        let (player, device) = device(rate);
        self.device = device.starting_at(self.now());
        self.stage.set_output(Some(player), self.now());
    }

    fn now(&self) -> LocalTime {
        self.device.time_of(self.device.frame())
    }

    fn in_millis(&self, millis: i64) -> LocalTime {
        self.now().plus_nanos(millis * MILLI)
    }

    /// Plays on; what was heard.
    fn run(&mut self, frames: usize) -> Vec<f32> {
        let heard = self.device.render(frames);
        self.stage.tick(self.now());
        heard
    }

    fn put_on(&mut self, seq: u64, at: LocalTime) -> PutOn {
        self.stage.put_on(trigger(seq, at), None, self.now()).unwrap()
    }
}

fn device(rate: u32) -> (Player, OfflineDevice) {
    let (player, device) = OfflineDevice::open(OutputFormat { rate, channels: 1 });
    (player, device.with_block(BLOCK))
}

/// The sound's own frame that is heard `at` frames into `heard`.
fn position(heard: &[f32], at: usize) -> f32 {
    heard[at] / 0.5 * RATE as f32
}

fn assert_at(position: f32, expected: f32) {
    assert!((position - expected).abs() < 1.5, "at frame {position}, not {expected}");
}

#[test]
fn a_trigger_sounds_at_its_frame() {
    let mut hall = Hall::ready();
    // This device does not say its latency, so that much is assumed.
    let put_on = hall.put_on(1, hall.in_millis(40));
    assert!(!put_on.late);
    let heard = hall.run(4800);
    // It may start between two frames, and then rings a little before the first.
    assert!(heard[..1900].iter().all(|level| *level == 0.0));
    assert_at(position(&heard, 2400), 481.0);
    assert_eq!(hall.stage.tally(), Tally { triggers: 1, late: 0, lateness_micros: Some(0) });
}

#[test]
fn a_sound_that_is_decoded_late_is_joined_in_the_middle() {
    let mut hall = Hall::open();
    hall.plug();
    hall.put_on(1, hall.now());
    let before = hall.run(4800);
    assert!(before.iter().all(|level| *level == 0.0));
    hall.stage.set_sound("ramp".into(), ramp(), hall.now());
    let heard = hall.run(4800);
    // By then its fade-in is over.
    assert_at(position(&heard, 2400), 7201.0);
    assert_eq!(hall.stage.tally().late, 1);
}

#[test]
fn without_a_clock_a_trigger_waits_for_one() {
    let mut hall = Hall::ready();
    hall.stage.set_clock(None, hall.now());
    hall.put_on(1, hall.in_millis(10));
    assert!(hall.run(4800).iter().all(|level| *level == 0.0));
    hall.stage.set_clock(Some(clock()), hall.now());
    assert_at(position(&hall.run(4800), 2400), 6721.0);
}

#[test]
fn another_output_goes_on_where_the_first_one_ended() {
    let mut hall = Hall::ready();
    hall.put_on(1, hall.now());
    hall.run(4800);
    hall.stage.set_output(None, hall.now());
    assert!(hall.stage.is_active());
    // Opening the next one takes half a second.
    hall.plug();
    let heard = hall.run(BLOCK);
    assert_at(position(&heard, 100), 4800.0 + 24_000.0 + 101.0);
}

#[test]
fn a_stop_ends_what_came_before_it_and_nothing_after() {
    let mut hall = Hall::ready();
    hall.put_on(1, hall.now());
    hall.run(4800);
    hall.stage.stop(&stop(2, hall.in_millis(20)), hall.now());
    let later = hall.in_millis(100);
    hall.put_on(3, later);
    let heard = hall.run(9600);
    assert_at(position(&heard, 900), 5701.0);
    assert!(heard[1400..4700].iter().all(|level| *level == 0.0), "it is silent between");
    assert_at(position(&heard, 4800 + 240), 241.0);
}

#[test]
fn a_trigger_that_was_stopped_before_its_sound_came_is_silent() {
    let mut hall = Hall::open();
    hall.plug();
    hall.put_on(1, hall.now());
    hall.stage.stop(&stop(2, hall.in_millis(5)), hall.now());
    hall.run(4800);
    hall.stage.set_sound("ramp".into(), ramp(), hall.now());
    let heard = hall.run(9600);
    assert!(heard[480..].iter().all(|level| *level == 0.0));
}

#[test]
fn what_the_relay_no_longer_sounds_after_a_reconnect_falls_silent() {
    let mut hall = Hall::ready();
    hall.put_on(1, hall.now());
    hall.put_on(2, hall.now());
    hall.run(4800);
    hall.stage.keep_only(&[2], hall.now());
    let heard = hall.run(4800);
    assert_at(position(&heard, 2400), 7201.0);
}

#[test]
fn a_restarted_relay_leaves_what_sounds_until_anyone_stops_it() {
    let mut hall = Hall::ready();
    hall.put_on(900, hall.now());
    hall.run(4800);
    hall.stage.leave_epoch();
    hall.stage.set_clock(Some(clock()), hall.now());
    assert_at(position(&hall.run(4800), 2400), 7201.0);
    hall.stage.stop(&stop(1, hall.in_millis(10)), hall.now());
    let heard = hall.run(4800);
    assert!(heard[1000..].iter().all(|level| *level == 0.0));
}

#[test]
fn stop_all_silences_what_sounds_waits_or_is_not_decoded_without_any_relay_time() {
    let mut hall = Hall::ready();
    hall.put_on(1, hall.now());
    hall.put_on(2, hall.in_millis(200));
    let undecoded = Trigger { sound: "other".into(), ..trigger(3, hall.now()) };
    hall.stage.put_on(undecoded, None, hall.now()).unwrap();
    hall.run(4800);
    hall.stage.set_clock(None, hall.now());
    hall.stage.stop_all(hall.now());
    hall.stage.set_sound("other".into(), ramp(), hall.now());
    let heard = hall.run(RATE as usize);
    assert!(heard[..BLOCK].iter().any(|level| *level != 0.0), "it fades rather than clicks");
    assert!(heard[BLOCK..].iter().all(|level| *level == 0.0));
    assert!(!hall.stage.is_active());
}

#[test]
fn a_trim_to_later_does_not_delay_stop_all() {
    let mut hall = Hall::ready();
    hall.stage.set_trim(Trim::from_millis(-200.0), hall.now());
    hall.put_on(1, hall.now());
    assert!(hall.run(14_400).iter().any(|level| *level != 0.0));
    hall.stage.stop_all(hall.now());
    assert!(hall.run(9600)[BLOCK..].iter().all(|level| *level == 0.0));
}

#[test]
fn what_was_stopped_stays_silent_on_another_output() {
    let mut hall = Hall::ready();
    hall.put_on(1, hall.now());
    hall.run(4800);
    hall.stage.stop_all(hall.now());
    hall.plug_at(RATE);
    assert!(hall.run(4800).iter().all(|level| *level == 0.0));
}

#[test]
fn a_trigger_without_a_schedule_is_not_late() {
    let mut hall = Hall::ready();
    let put_on = hall.stage.put_on_now(trigger(0, LocalTime::default()), hall.now()).unwrap();
    assert!(!put_on.late);
    let heard = hall.run(9600);
    let first = heard.iter().position(|level| *level > 0.0).unwrap();
    assert_at(position(&heard, first + 100), 101.0);
}

#[test]
fn an_unknown_sound_is_not_put_on() {
    let mut hall = Hall::ready();
    let unknown = Trigger { sound: "gone".into(), ..trigger(1, hall.now()) };
    assert_eq!(hall.stage.put_on(unknown, None, hall.now()), None);
}

#[test]
fn what_is_over_is_forgotten() {
    let mut hall = Hall::ready();
    hall.put_on(1, hall.now());
    hall.run(RATE as usize + 4800);
    assert!(!hall.stage.is_active());
}

#[test]
fn a_bank_that_changed_a_file_forgets_the_old_sound() {
    let mut hall = Hall::ready();
    let mut changed = bank();
    changed[0].hash = "another".into();
    hall.stage.set_bank(&changed);
    hall.put_on(1, hall.now());
    assert!(hall.run(4800).iter().all(|level| *level == 0.0));
}

#[test]
fn a_trim_hands_starts_and_stops_to_the_output_earlier() {
    let mut hall = Hall::ready();
    hall.stage.set_trim(Trim::from_millis(10.0), hall.now());
    let at = hall.in_millis(60);
    let put_on = hall.put_on(1, at);
    assert_eq!((put_on.at.nanos_since(at).abs() < 2_000, put_on.late), (true, false));
    hall.stage.stop(&stop(2, hall.in_millis(110)), hall.now());
    let heard = hall.run(9600);
    assert!(heard[..2380].iter().all(|level| *level == 0.0));
    assert_at(position(&heard, 2880), 481.0);
    assert_at(position(&heard, 4700), 2301.0);
    assert!(heard[5100..].iter().all(|level| *level == 0.0), "the stop is as much earlier");
}

#[test]
fn another_trim_moves_what_waits_and_what_sounds() {
    let mut hall = Hall::ready();
    hall.put_on(1, hall.in_millis(40));
    hall.stage.set_trim(Trim::from_millis(-10.0), hall.now());
    assert_at(position(&hall.run(4800), 2880), 481.0);
    // Too far to glide: it jumps, with a crossfade.
    hall.stage.set_trim(Trim::from_millis(90.0), hall.now());
    hall.run(4800);
    assert_at(position(&hall.run(4800), 0), 9600.0 - 1920.0 + 4320.0 + 1.0);
}

#[test]
fn only_a_trim_to_earlier_needs_more_lead() {
    let mut hall = Hall::ready();
    let untrimmed = hall.stage.reach_nanos();
    hall.stage.set_trim(Trim::from_millis(20.0), hall.now());
    assert_eq!(hall.stage.reach_nanos(), untrimmed + 20 * MILLI);
    hall.stage.set_trim(Trim::from_millis(-20.0), hall.now());
    assert_eq!(hall.stage.reach_nanos(), untrimmed);
}

#[test]
fn a_trigger_that_the_trim_leaves_no_time_for_is_late() {
    let mut hall = Hall::ready();
    hall.stage.set_trim(Trim::from_millis(60.0), hall.now());
    assert!(hall.put_on(1, hall.in_millis(40)).late);
    hall.run(4800);
    assert_eq!(hall.stage.tally().late, 1);
}

#[test]
fn an_output_that_opens_in_the_middle_of_a_sound_never_exceeds_the_volume() {
    const QUIET: f32 = 0.01;
    let mut hall = Hall::open();
    hall.stage.set_volume(QUIET);
    hall.stage.set_sound("ramp".into(), ramp(), hall.now());
    hall.put_on(1, hall.now());
    for rate in [RATE, RATE, 44_100] {
        hall.plug_at(rate);
        let loudest = hall.run(9600).into_iter().map(f32::abs).fold(0.0, f32::max);
        assert!(loudest > 0.0, "the sound goes on at {rate} Hz");
        // The sound itself reaches one half.
        assert!(loudest <= 0.5 * QUIET, "{loudest} at {rate} Hz");
    }
}

#[test]
fn a_sound_at_another_rate_than_the_output_plays_at_once_and_in_time() {
    let mut hall = Hall::ready();
    hall.plug_at(44_100);
    hall.run(44_100 / 2);
    hall.put_on(1, hall.in_millis(40));
    let heard = hall.run(9600);
    // 20 ms after the instant: 882 frames of the output, 960 of the sound.
    assert_at(position(&heard, 1764 + 882), 961.0);
    assert_eq!(hall.stage.tally().late, 0);
}
