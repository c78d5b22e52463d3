//! The output manager on a private PulseAudio: two outputs on the two channels of one sink are in
//! sync in a recording, devices disappear and return, and the latency adapts.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::pulse_lab::{Machine, PATIENCE, Pulse};
use downbeat_audio::{
    DeviceChoice, MixerHandle, OutputEvent, SoundBuffer, VoiceEvent, VoiceId, VoiceStart,
};
use downbeat_platform::local_time::LocalClock;

const CLICKS: u64 = 20;
const ROUNDS: usize = 10;
const CLICK_FRAMES: usize = 480;

/// The frames that `parec` has recorded from the sink so far, interleaved.
struct Recording {
    parec: Child,
    samples: Arc<Mutex<Vec<f32>>>,
}

impl Recording {
    fn start(pulse: &Pulse) -> Self {
        let mut parec = pulse
            .command(
                "parec",
                &[
                    "--device=room.monitor",
                    "--format=float32le",
                    "--rate=48000",
                    "--channels=2",
                    "--latency-msec=20",
                ],
            )
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let samples = Arc::new(Mutex::new(Vec::new()));
        let mut stdout = parec.stdout.take().unwrap();
        let sink = Arc::clone(&samples);
        thread::spawn(move || {
            let mut bytes = [0; 4];
            while stdout.read_exact(&mut bytes).is_ok() {
                sink.lock().unwrap().push(f32::from_le_bytes(bytes));
            }
        });
        Self { parec, samples }
    }

    fn frames(&self) -> usize {
        self.samples.lock().unwrap().len() / 2
    }

    fn channel(&self, channel: usize) -> Vec<f32> {
        self.samples.lock().unwrap().chunks_exact(2).map(|frame| frame[channel]).collect()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.parec.kill();
        let _ = self.parec.wait();
    }
}

/// A recording that has started.
fn recording_of(pulse: &Pulse) -> Recording {
    let recording = Recording::start(pulse);
    let deadline = Instant::now() + PATIENCE;
    while recording.frames() == 0 {
        assert!(Instant::now() < deadline, "parec records nothing");
        thread::sleep(Duration::from_millis(10));
    }
    recording
}

/// Waits until the output reports a latency within these milliseconds.
fn wait_for_latency(mixer: &MixerHandle, millis: std::ops::RangeInclusive<i64>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let nanos = mixer.stats().latency_nanos;
        if millis.contains(&(nanos / 1_000_000)) {
            return;
        }
        assert!(Instant::now() < deadline, "{nanos} ns of latency, not {millis:?} ms");
        thread::sleep(Duration::from_millis(10));
    }
}

/// 10 ms of decaying noise, whose autocorrelation has one sharp peak.
fn click(rate: u32) -> Arc<SoundBuffer> {
    let mut random = fastrand::Rng::with_seed(7);
    let samples = (0..CLICK_FRAMES)
        .map(|n| 0.5 * (random.f32() * 2.0 - 1.0) * (-(n as f32) / 100.0).exp())
        .collect();
    Arc::new(SoundBuffer::new(samples, 1, rate))
}

/// The frames at which sound starts after at least 50 ms of silence.
fn onsets(channel: &[f32]) -> Vec<usize> {
    let mut onsets = Vec::new();
    let mut quiet = 2_400;
    for (n, value) in channel.iter().enumerate() {
        if value.abs() > 0.02 {
            if quiet >= 2_400 {
                onsets.push(n);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    onsets
}

/// The lag of `b` behind `a` around `frame`, in frames: the peak of their correlation, interpolated by a
/// parabola.
fn lag(a: &[f32], b: &[f32], frame: usize) -> f64 {
    const MAX_LAG: usize = 480;
    let from = frame.saturating_sub(MAX_LAG);
    let piece = &a[from..frame + CLICK_FRAMES];
    let correlation = |lag: isize| -> f64 {
        let shifted = |n: usize| (from + n).checked_add_signed(lag).and_then(|n| b.get(n));
        piece
            .iter()
            .enumerate()
            .map(|(n, value)| f64::from(*value * shifted(n).unwrap_or(&0.0)))
            .sum()
    };
    let most = MAX_LAG as isize;
    let best = (-most..=most).max_by(|a, b| correlation(*a).total_cmp(&correlation(*b))).unwrap();
    let [low, peak, high] = [best - 1, best, best + 1].map(correlation);
    best as f64 + 0.5 * (low - high) / (low - 2.0 * peak + high)
}

/// Plays clicks on both mixers. Returns their distances in the recording, sorted, in microseconds;
/// `None` if a block was missed meanwhile.
fn round(
    clock: LocalClock,
    mut mixers: [&mut MixerHandle; 2],
    sound: &Arc<SoundBuffer>,
    recording: &Recording,
) -> Option<Vec<f64>> {
    let xruns = mixers.each_ref().map(|mixer| mixer.stats().xruns);
    let from = recording.frames();
    let first = clock.now().plus_nanos(1_000_000_000);
    for n in 0..CLICKS {
        let at = first.plus_nanos(n as i64 * 150_007_013);
        for mixer in &mut mixers {
            let (id, sound) = (VoiceId(n), Arc::clone(sound));
            mixer
                .start(VoiceStart { id, source: sound.into(), at, gain: 1.0, rate: 1.0, pan: 0.0 })
                .unwrap();
        }
    }
    for mixer in &mut mixers {
        let mut ended = 0;
        let deadline = Instant::now() + PATIENCE;
        while ended < CLICKS {
            assert!(Instant::now() < deadline, "only {ended} clicks were played");
            match mixer.poll() {
                Some(VoiceEvent::Ended { .. }) => ended += 1,
                Some(VoiceEvent::Started { .. }) => {}
                Some(other) => panic!("{other:?}"),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }
    let enough = recording.frames() + 24_000;
    let deadline = Instant::now() + PATIENCE;
    while recording.frames() < enough {
        assert!(Instant::now() < deadline, "parec has stopped");
        thread::sleep(Duration::from_millis(10));
    }
    let stats = mixers.each_ref().map(|mixer| mixer.stats());
    eprintln!("{stats:?}");
    assert!(stats.iter().all(|stats| stats.latency_nanos > 0 && stats.block_frames > 0));
    let [a, b] = [0, 1].map(|channel| recording.channel(channel).split_off(from));
    let (begin, begin_b) = (onsets(&a), onsets(&b));
    if stats.map(|stats| stats.xruns) != xruns {
        return None;
    }
    assert_eq!((begin.len(), begin_b.len()), (CLICKS as usize, CLICKS as usize));
    let mut spread: Vec<_> =
        begin.iter().map(|frame| (lag(&a, &b, *frame) * 1e6 / 48e3).abs()).collect();
    spread.sort_by(f64::total_cmp);
    Some(spread)
}

#[test]
fn two_outputs_are_synchronous_and_devices_may_disappear_and_return() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    let clock = LocalClock::start();

    // The missing device is reported once, and then it appears.
    let left = Machine::start(DeviceChoice::Named("left".into()), clock);
    assert!(left.lost().contains("no output device"));
    pulse.load("module-null-sink sink_name=room rate=48000 channels=2");
    let (_, device) = left.opened("room");
    assert!(device.is_default && device.channels == 2 && device.rate == 48_000);
    let left_module = pulse.load_machine("left", "front-left");
    pulse.load_machine("right", "front-right");
    let (mut left_mixer, _) = left.opened("left");

    let right = Machine::start(DeviceChoice::Default, clock);
    right.opened("room");
    right.manager.choose(DeviceChoice::Named("right".into()));
    let (mut right_mixer, device) = right.opened("right");
    assert_eq!(device.channels, 1);

    // Clicks on both, at instants anywhere between two frames.
    expect_together(&pulse, clock, [&mut left_mixer, &mut right_mixer], device.rate);

    // A device that disappears is replaced by the default, and used again when it is back.
    pulse.unload(&left_module);
    left.opened("room");
    pulse.load_machine("left", "front-left");
    left.opened("left");
}

/// Plays clicks on both machines and asserts that they are in sync. A round in which a busy machine
/// misses a block is inconclusive and is repeated.
fn expect_together(pulse: &Pulse, clock: LocalClock, mut mixers: [&mut MixerHandle; 2], rate: u32) {
    let recording = recording_of(pulse);
    let sound = click(rate);
    let spread = (0..ROUNDS)
        .find_map(|_| {
            let [left, right] = &mut mixers;
            round(clock, [left, right], &sound, &recording)
        })
        .expect("a round without a missed block");
    let (median, worst) = (spread[spread.len() / 2], spread[spread.len() - 1]);
    eprintln!("spread of two outputs: median {median:.1} us, worst {worst:.1} us");
    assert!(median < 2_000.0, "clicks {median} us apart");
}

#[test]
fn a_configured_latency_is_granted_and_reported() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    pulse.load_sink("room", 48_000);
    // Twice the setting plus one block, minus the delay of a busy machine.
    for (set, granted, reported) in
        [(None, 5_000, 5..=21), (Some(5), 5_000, 5..=21), (Some(40), 40_000, 55..=90)]
    {
        let machine = Machine::start_with(DeviceChoice::Default, LocalClock::start(), set);
        let (mixer, _) = machine.opened("room");
        let sinks = pulse.pactl(&["list", "sinks"]);
        assert!(sinks.contains(&format!("configured {granted} usec")), "{set:?}: {sinks}");
        wait_for_latency(&mixer, reported);
    }
}

#[test]
fn underruns_raise_the_latency_and_later_sounds_are_in_time() {
    let pulse = Pulse::start();
    pulse.let_be_used(&pulse.address());
    let clock = LocalClock::start();
    pulse.load("module-null-sink sink_name=room rate=48000 channels=2");
    pulse.load_machine("left", "front-left");
    pulse.load_machine("right", "front-right");
    let left = Machine::start(DeviceChoice::Named("left".into()), clock);
    let (mut left_mixer, device) = left.opened("left");
    let right = Machine::start_with(DeviceChoice::Named("right".into()), clock, Some(40));
    let (mut right_mixer, _) = right.opened("right");
    wait_for_latency(&left_mixer, 5..=21);

    // The server is stopped repeatedly, for longer than the buffers of its streams last.
    let deadline = Instant::now() + PATIENCE;
    let change = loop {
        assert!(Instant::now() < deadline, "the latency was not raised");
        pulse.stall(Duration::from_millis(150));
        match left.events.recv_timeout(Duration::from_millis(300)) {
            Ok(OutputEvent::LatencyAdapted(change)) => break change,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the output manager is gone"),
        }
    };
    assert!(change.starts_with("Output latency raised to 10 ms: the sound server"), "{change}");
    // A busy machine may need even more.
    wait_for_latency(&left_mixer, 22..=90);

    // Compared with a machine that kept its latency.
    expect_together(&pulse, clock, [&mut left_mixer, &mut right_mixer], device.rate);
    assert!(right.events.try_iter().all(|event| !matches!(event, OutputEvent::LatencyAdapted(_))));
}
