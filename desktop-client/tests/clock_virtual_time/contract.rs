//! The guarantees of the clock estimator on which the session relies, under any network.

use downbeat::clock::{ClockEstimator, Exchange};
use downbeat::time::LocalTime;
use downbeat_protocol::RelayTime;
use proptest::prelude::*;

/// An exchange with a relay that is one second ahead, with a delay of 100 us each way.
fn exchange(sent_micros: i64) -> Exchange {
    exchange_with(sent_micros, 1_000_000)
}

fn exchange_with(sent_micros: i64, ahead_micros: i64) -> Exchange {
    let at_relay = RelayTime::from_micros((sent_micros + 100 + ahead_micros) as u64);
    Exchange {
        sent: micros(sent_micros),
        received: at_relay,
        replied: at_relay.plus_micros(5),
        arrived: micros(sent_micros + 205),
    }
}

fn micros(time: i64) -> LocalTime {
    LocalTime::from_nanos(time * 1000)
}

fn synced() -> ClockEstimator {
    let mut clock = ClockEstimator::new();
    (0..16).for_each(|i| clock.observe(exchange(i * 20_000)));
    clock
}

/// The times of the probes between two instants, each answered at once.
fn probes(clock: &mut ClockEstimator, from: i64, to: i64) -> Vec<i64> {
    let mut times = Vec::new();
    let mut now = clock.next_probe_at(micros(from));
    while now < micros(to) {
        clock.probe_sent(now);
        clock.observe(exchange(now.as_micros()));
        times.push(now.as_micros());
        now = clock.next_probe_at(now);
    }
    times
}

#[test]
fn there_is_no_estimate_before_the_fourth_exchange_nor_after_a_reset() {
    let mut clock = ClockEstimator::new();
    for i in 0..4 {
        assert!(clock.estimate().is_none());
        clock.observe(exchange(i * 20_000));
    }
    assert!(clock.estimate().is_some());
    clock.reset();
    assert!(clock.estimate().is_none());
    assert_eq!(clock.next_probe_at(micros(77)), micros(77));
}

#[test]
fn impossible_exchanges_are_ignored() {
    let mut clock = synced();
    let now = micros(500_000);
    let before = clock.estimate().unwrap().relay_micros_at(now);
    let good = exchange_with(400_000, 9_000_000);
    for wrong in [
        Exchange { arrived: good.sent.plus_nanos(-1), ..good },
        Exchange { replied: RelayTime::from_micros(good.received.as_micros() - 1), ..good },
        Exchange { replied: good.received.plus_micros(10_000), ..good },
        Exchange {
            replied: RelayTime::from_micros(u64::MAX),
            arrived: micros(i64::MAX / 1000),
            ..good
        },
    ] {
        clock.observe(wrong);
        let after = clock.estimate().unwrap().relay_micros_at(now);
        assert!((after - before).abs() < f64::EPSILON, "{wrong:?}");
    }
}

#[test]
fn a_steady_relay_is_estimated_to_the_microsecond_in_both_directions() {
    let estimate = synced().estimate().unwrap();
    let now = micros(400_000);
    assert!((estimate.relay_micros_at(now) - 1_400_000.0).abs() < 3.0);
    assert!(estimate.drift_ppm().abs() < 5.0);
    for relay in [1_400_000, 2_000_000, 900_000_000] {
        let local = estimate.local_at(RelayTime::from_micros(relay));
        assert_eq!(estimate.relay_at(local).as_micros(), relay);
    }
}

#[test]
fn the_bound_covers_half_the_round_trip_and_grows_with_age() {
    let estimate = synced().estimate().unwrap();
    let fresh = estimate.error_micros(micros(300_000));
    assert!((100..200).contains(&fresh), "{fresh}");
    assert!(estimate.error_micros(micros(60_000_000)) > fresh + 30);
    assert!(estimate.spread_micros(micros(300_000)) < 20.0);
}

#[test]
fn pacing_begins_with_a_burst_and_slows_to_one_probe_a_second() {
    let mut clock = ClockEstimator::new();
    let times = probes(&mut clock, 5_000_000, 35_000_000);
    let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(times[0], 5_000_000);
    assert!(gaps[..15].iter().all(|&gap| gap == 20_000));
    assert!(gaps[15..].iter().all(|gap| (249_999..=1_000_000).contains(gap)));
    assert!(*gaps.last().unwrap() >= 999_999);
}

#[test]
fn unanswered_probes_do_not_prolong_a_burst() {
    let mut clock = ClockEstimator::new();
    let mut now = micros(0);
    for _ in 0..30 {
        clock.probe_sent(now);
        now = clock.next_probe_at(now);
    }
    assert_eq!(now, micros(15 * 20_000 + 15 * 250_000));
}

#[test]
fn bursts_follow_a_request_a_sleep_and_a_jump() {
    let disturbances: [fn(&mut ClockEstimator); 3] = [
        ClockEstimator::burst,
        |clock| clock.probe_sent(micros(50_000_000)),
        |clock| clock.observe(exchange_with(35_000_000, 61_000_000)),
    ];
    for disturb in disturbances {
        let mut clock = ClockEstimator::new();
        probes(&mut clock, 5_000_000, 35_000_000);
        disturb(&mut clock);
        assert_eq!(probes(&mut clock, 51_000_000, 51_030_000), [51_000_000, 51_020_000]);
    }
}

#[test]
fn the_bound_holds_after_weeks_of_sleep() {
    for days in [1, 7, 30] {
        let mut clock = synced();
        let woke = days * 86_400_000_000;
        // With a drift of 20 ppm.
        let ahead = 1_000_000 + woke / 50_000;
        for i in 0..40 {
            clock.observe(exchange_with(woke + i * 20_000, ahead));
            let estimate = clock.estimate().unwrap();
            let now = woke + i * 20_000 + 300;
            let error = (estimate.relay_micros_at(micros(now)) - (now + ahead) as f64).abs();
            let bound = f64::from(estimate.error_micros(micros(now)));
            assert!(error <= bound && bound < 1000.0, "{days} days, {i}: {error} us of {bound}");
        }
    }
}

#[test]
fn a_year_of_uptime_loses_no_precision() {
    const YEAR: i64 = 365 * 24 * 3600 * 1_000_000;
    let mut clock = ClockEstimator::new();
    (0..16).for_each(|i| clock.observe(exchange_with(YEAR + i * 20_000, YEAR)));
    let estimate = clock.estimate().unwrap();
    let relay = RelayTime::from_micros((2 * YEAR + 310_000) as u64);
    assert!(
        (estimate.relay_micros_at(micros(YEAR + 310_000)) - relay.as_micros() as f64).abs() < 3.0
    );
    assert!((estimate.local_at(relay).as_nanos() - (YEAR + 310_000) * 1000).abs() < 3000);
}

/// Two ordered timestamps of any magnitude.
fn stamps() -> impl Strategy<Value = (i64, i64)> {
    (10..63_u32, any::<[i64; 2]>()).prop_map(|(shift, [a, b])| {
        let (a, b) = (a >> shift, b >> shift);
        (a.min(b), a.max(b))
    })
}

proptest! {
    // A failure prints its input, which can then become a test of its own.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a relay sends, the estimate is finite and the bound is not negative.
    #[test]
    fn arbitrary_timestamps_leave_a_usable_estimate(
        wild in prop::collection::vec((stamps(), stamps()), 1..60),
        good in prop::collection::vec(0..100_000_000_i64, 0..20),
    ) {
        let mut clock = ClockEstimator::new();
        for ((sent, arrived), (received, replied)) in wild {
            clock.observe(Exchange {
                sent: LocalTime::from_nanos(sent),
                received: RelayTime::from_micros(received.unsigned_abs()),
                replied: RelayTime::from_micros(replied.unsigned_abs()),
                arrived: LocalTime::from_nanos(arrived),
            });
        }
        for sent in good {
            clock.observe(exchange(sent));
        }
        let now = micros(100_000_000);
        if let Some(estimate) = clock.estimate() {
            prop_assert!(estimate.relay_micros_at(now).is_finite());
            prop_assert!(estimate.drift_ppm().abs() <= 1000.0);
            prop_assert!(estimate.spread_micros(now).is_finite());
            prop_assert!(estimate.error_micros(now) > 0);
        }
        prop_assert!(clock.next_probe_at(now) >= now);
    }
}
