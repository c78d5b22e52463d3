//! What becomes of triggers: each leads to exactly one outcome.

use super::*;

/// The outcomes within `millis`, in blocks of the device.
fn outcomes(rig: &mut Rig, millis: usize) -> Vec<(u64, Option<Missed>)> {
    let mut outcomes = rig.cues.take_outcomes();
    for _ in 0..millis / 10 {
        rig.run(BLOCK);
        outcomes.extend(rig.cues.take_outcomes());
    }
    outcomes.into_iter().map(|outcome| (outcome.seq, outcome.missed)).collect()
}

#[test]
fn a_trigger_that_sounds_says_so_once_and_how_late_it_was() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.in_millis(60));
    rig.schedule(2, rig.in_millis(-100));
    rig.run(BLOCK);
    let [late] = rig.cues.take_outcomes()[..] else { panic!("one is due") };
    assert_eq!((late.seq, late.missed), (2, None));
    assert!((100_000..150_000).contains(&late.lateness_micros), "{late:?}");
    assert_eq!(outcomes(&mut rig, 3000), [(1, None)]);
}

#[test]
fn a_trigger_that_came_late_is_late_also_where_the_device_clock_is_behind() {
    let mut rig = Rig::ready();
    let (at, now) = (rig.in_millis(100), rig.in_millis(700));
    rig.cues.schedule(trigger(1, at), now).unwrap();
    rig.run(4800 + BLOCK);
    let [late] = rig.cues.take_outcomes()[..] else { panic!("one is due") };
    assert_eq!((late.seq, late.missed), (1, None));
    assert!((600_000..700_000).contains(&late.lateness_micros), "{late:?}");
}

#[test]
fn a_voice_that_goes_on_through_another_output_has_sounded_already() {
    let mut rig = Rig::ready();
    rig.schedule(1, rig.in_millis(60));
    assert_eq!(outcomes(&mut rig, 100), [(1, None)]);
    rig.open_output();
    assert_eq!(outcomes(&mut rig, 1000), []);
    assert_eq!(rig.cues.tally(), Tally { triggers: 1, late: 0, lateness_micros: Some(0) });
}

#[test]
fn what_does_not_sound_says_why_soon_after_its_instant() {
    for missed in [Missed::NoOutput, Missed::NoClock, Missed::NotReady] {
        let mut rig = Rig::ready();
        match missed {
            Missed::NoOutput => rig.cues.set_output(None, rig.now()),
            Missed::NoClock => rig.cues.set_clock(None, rig.now()),
            _ => rig.cues.forget("hash of ramp"),
        }
        rig.schedule(1, rig.now());
        assert_eq!(outcomes(&mut rig, 140), []);
        assert_eq!(outcomes(&mut rig, 30), [(1, Some(missed))]);
        // What it does later has no further outcome.
        rig.cues.set_clock(Some(clock()), rig.now());
        rig.cues.set_sound("hash of ramp".into(), ramp(), rig.now());
        assert_eq!(outcomes(&mut rig, 3000), []);
    }
}

#[test]
fn what_joins_in_time_is_late_and_not_missed() {
    let mut rig = Rig::ready();
    rig.cues.forget("hash of ramp");
    rig.schedule(1, rig.now());
    assert_eq!(outcomes(&mut rig, 60), []);
    rig.cues.set_sound("hash of ramp".into(), ramp(), rig.now());
    assert_eq!(outcomes(&mut rig, 3000), [(1, None)]);
    assert_eq!(rig.cues.tally().late, 1);
}

#[test]
fn what_is_over_or_stopped_before_it_begins_says_so() {
    let mut rig = Rig::ready();
    // The sound takes a second.
    rig.schedule(1, rig.in_millis(-1500));
    assert_eq!(outcomes(&mut rig, 1000), [(1, Some(Missed::TooLate))]);
    // The mixer knows the one and not the other, whose sound is not decoded.
    rig.schedule(2, rig.in_millis(500));
    rig.cues.forget("hash of ramp");
    rig.schedule(3, rig.in_millis(500));
    rig.cues.stop(&stop(4, rig.in_millis(100)), rig.now());
    let mut stopped = outcomes(&mut rig, 250);
    stopped.sort_by_key(|(seq, _)| *seq);
    assert_eq!(stopped, [(2, Some(Missed::Stopped)), (3, Some(Missed::Stopped))]);
    rig.schedule(5, rig.in_millis(500));
    rig.cues.stop_all(rig.now());
    assert_eq!(outcomes(&mut rig, 1000), [(5, Some(Missed::Stopped))]);
    // A stop after the instant hides no other reason.
    rig.cues.set_output(None, rig.now());
    rig.schedule(6, rig.in_millis(-20));
    rig.cues.stop_all(rig.now());
    assert_eq!(outcomes(&mut rig, 10), [(6, Some(Missed::NoOutput))]);
}

#[test]
fn a_silent_machine_says_that_it_is_muted() {
    let mut rig = Rig::ready();
    rig.cues.set_muted(true);
    rig.schedule(1, rig.in_millis(60));
    assert_eq!(outcomes(&mut rig, 100), [(1, Some(Missed::Muted))]);
    assert!(rig.run(4800).iter().all(|level| *level == 0.0));
    // Voices went on: one is heard where it is by now.
    rig.cues.set_muted(false);
    let sounded = rig.run(9600);
    assert_at(position(&sounded, 4800), 0.1 * 48_000.0 - 0.06 * 48_000.0 + 4800.0 + 4801.0);
    rig.cues.set_volume(0.0);
    rig.schedule(2, rig.in_millis(60));
    assert_eq!(outcomes(&mut rig, 100), [(2, Some(Missed::Muted))]);
}

#[test]
fn too_many_voices_say_so() {
    let mut rig = Rig::ready();
    rig.cues.set_output(None, rig.now());
    for seq in 1..=MAX_CUES as u64 + 1 {
        rig.schedule(seq, rig.in_millis(9000));
    }
    assert_eq!(outcomes(&mut rig, 10), [(1, Some(Missed::Voices))]);
}

#[test]
fn nobody_asks_what_becomes_of_a_sound_that_is_joined_nor_of_one_without_a_number() {
    let mut rig = Rig::ready();
    let sounding = trigger(1, rig.in_millis(-500));
    rig.cues.join(sounding, None, rig.now()).unwrap();
    rig.cues.schedule_now(trigger(0, rig.now()), rig.now()).unwrap();
    assert_eq!(outcomes(&mut rig, 3000), []);
    assert_eq!(rig.cues.tally(), Tally { triggers: 2, late: 0, lateness_micros: Some(0) });
    // A connection that is lost asks no more.
    rig.schedule(3, rig.in_millis(60));
    rig.cues.forget_outcomes();
    assert_eq!(outcomes(&mut rig, 3000), []);
}
