//! What variables drive, frame by frame.

use super::*;

fn variable(name: &str, parameter: &str, (min, max): (f64, f64), value: f64) -> VariableState {
    let state = serde_json::json!({
        "name": name, "type": "float", "min": min, "max": max, "default": value, "value": value,
        "bind": [{"parameter": parameter}],
    });
    serde_json::from_value(state).unwrap()
}

#[test]
fn a_tone_needs_no_sound_in_the_bank_and_follows_its_variable() {
    let mut rig = Rig::ready();
    let pitch = variable("f", "frequency", (20.0, 20_000.0), 1000.0);
    rig.cues.set_variables(&[pitch], rig.now());
    let at = rig.in_millis(100);
    let tone = Some(Tone { duration_micros: 2_000_000, ..Tone::default() });
    let tone = Trigger { sound: TONE.into(), tone, ..trigger(1, at) };
    rig.cues.schedule(tone, rig.now()).unwrap();
    // An octave down half a second after the start, at once.
    let change = relay(at.plus_nanos(500 * MILLI));
    rig.cues.set_variable("f", 500.0, change, 0, rig.now());
    let mut sounded = Vec::new();
    for _ in 0..11 {
        sounded.extend(rig.run(4800));
    }
    let crossings = |from: usize, to: usize| {
        sounded[from..to].windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count()
    };
    // A tenth of a second each: well before, just before and after, and well after the change.
    assert!(crossings(9_600, 14_400).abs_diff(100) <= 1, "{}", crossings(9_600, 14_400));
    assert!(crossings(24_000, 28_800).abs_diff(100) <= 1, "{}", crossings(24_000, 28_800));
    assert!(crossings(28_800, 33_600).abs_diff(50) <= 1, "{}", crossings(28_800, 33_600));
}

#[test]
fn a_bound_gain_glides_from_its_instant_on_every_voice() {
    let mut rig = Rig::ready();
    rig.cues.set_variables(&[variable("level", "gain_db", (-60.0, 0.0), 0.0)], rig.now());
    let at = rig.in_millis(100);
    rig.schedule(1, at);
    let change = relay(at.plus_nanos(200 * MILLI));
    rig.cues.set_variable("level", -60.0, change, 100_000, rig.now());
    let mut sounded = Vec::new();
    for _ in 0..8 {
        sounded.extend(rig.run(4800));
    }
    // Frames since the start, and the gain there.
    for (frame, gain) in [(4_800, 1.0), (9_500, 1.0), (12_000, 0.5), (14_500, 0.0), (30_000, 0.0)] {
        let level = sounded[4_800 + frame] / (frame as f32 / RATE as f32 * 0.5);
        assert!((level - gain).abs() < 0.01, "{level} at {frame}, not {gain}");
    }
    // A later voice has the gain from its start, and one after the variable is gone has its own.
    rig.schedule(2, rig.in_millis(50));
    assert!(rig.run(9600).iter().all(|level| level.abs() < 1e-4));
    rig.cues.remove_variables(&["level".to_owned()], rig.now());
    let sounded = rig.run(4800);
    assert!(sounded[2400] > 0.01, "{}", sounded[2400]);
}

#[test]
fn a_late_joiner_is_where_the_others_are_after_and_within_a_glide_of_the_pitch() {
    let declared = || variable("pitch", "semitones", (-12.0, 12.0), 0.0);
    let mut there = Rig::ready();
    there.cues.set_variables(&[declared()], there.now());
    let at = there.in_millis(50);
    there.schedule(1, at);
    // An octave down at once, and then a glide that has not ended when the other comes.
    let changes = [(100, -12.0, 0), (200, 12.0, 400_000)]
        .map(|(millis, value, over)| (relay(at.plus_nanos(millis * MILLI)), value, over));
    for (instant, value, over_micros) in changes {
        there.cues.set_variable("pitch", value, instant, over_micros, there.now());
    }
    // By then both are at the same time, 350 ms after the start.
    there.run(19_200);

    let mut late = Rig::ready();
    late.run(19_200);
    assert_eq!(late.now(), there.now());
    let values = changes.map(|(apply_at, value, over_micros)| PastValue {
        apply_at,
        value: value.into(),
        over_micros,
    });
    let past = PastValues { from: 0.0.into(), values: values.to_vec() };
    late.cues.set_variables(
        &[VariableState { value: 12.0.into(), past: Some(past), ..declared() }],
        late.now(),
    );
    late.schedule(1, at);
    let sounded = [there.run(9_600), late.run(9_600)];
    let [there, late] = sounded.map(|sounded| position(&sounded, 9_000));
    assert!(there > 10_000.0 && (there - late).abs() < 5.0, "{late}, not {there}");
}

#[test]
fn a_newer_value_replaces_one_that_was_to_begin_later() {
    let mut rig = Rig::ready();
    rig.cues.set_variables(&[variable("level", "gain_db", (-60.0, 0.0), 0.0)], rig.now());
    rig.schedule(1, rig.in_millis(50));
    rig.cues.set_variable("level", -60.0, relay(rig.in_millis(300)), 0, rig.now());
    rig.run(4800);
    rig.cues.set_variable("level", -6.0206, relay(rig.in_millis(20)), 0, rig.now());
    rig.run(9600);
    rig.run(4800);
    let sounded = rig.run(4800);
    let frame = 19_200.0 - 2_400.0 + 1.0;
    assert!((position(&sounded, 0) - frame / 2.0).abs() < 30.0, "{}", position(&sounded, 0));
}

#[test]
fn a_new_output_has_the_rooms_volume_from_its_first_frame() {
    let mut rig = Rig::ready();
    rig.cues.set_variables(&[variable("v", "volume_db", (-60.0, 0.0), -40.0)], rig.now());
    rig.schedule(1, rig.now());
    for _ in 0..3 {
        rig.open_output_at(RATE);
        let loudest = rig.run(9600).into_iter().map(f32::abs).fold(0.0, f32::max);
        assert!(loudest > 0.0 && loudest <= 0.5 * 0.011, "{loudest}");
    }
}

#[test]
fn a_trigger_on_arrival_follows_variables_and_stops_like_any_other() {
    let mut rig = Rig::ready();
    rig.cues.set_variables(&[variable("level", "gain_db", (-60.0, 0.0), -60.0)], rig.now());
    let on_arrival = Trigger { on_arrival: true, ..trigger(1, rig.now()) };
    rig.cues.schedule_now(on_arrival.clone(), rig.now()).unwrap();
    assert!(rig.run(9600).iter().all(|level| level.abs() < 1e-4));
    rig.cues.set_variables(&[], rig.now());
    rig.run(4800);
    assert!(rig.run(4800).iter().any(|level| level.abs() > 0.01));
    // It was stopped while this machine was disconnected.
    rig.cues.keep_only(&[], 0, rig.now());
    rig.run(4800);
    assert!(rig.run(4800).iter().all(|level| *level == 0.0));
}

#[test]
fn the_rooms_volume_ends_with_its_variables() {
    let mut rig = Rig::ready();
    rig.cues.set_variables(&[variable("v", "volume_db", (-60.0, 0.0), -40.0)], rig.now());
    rig.schedule(1, rig.now());
    rig.run(4800);
    // Another epoch, whose clock begins at another time, without this variable.
    rig.cues.leave_epoch();
    rig.cues.set_variables(&[], rig.now());
    rig.cues.set_clock(Some(clock()), rig.now());
    rig.run(4800);
    assert!(rig.run(4800)[2400] > 0.05);
    rig.cues.set_variables(&[variable("v", "volume_db", (-60.0, 0.0), -40.0)], rig.now());
    rig.run(4800);
    // A tutorial relay.
    rig.cues.leave_epoch();
    rig.cues.clear_variables(rig.now());
    rig.run(4800);
    assert!(rig.run(4800)[2400] > 0.05);
}
