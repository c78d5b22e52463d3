//! Prints the measurements as a table.

use downbeat_tests::load::figures::{median, quantile};

use crate::{Kind, Measured, paced};

/// The index of the floor with which a server is compared. The floors are compared with the first.
fn floor_of(kind: Kind, kinds: &[Kind]) -> usize {
    let own = |other: &Kind| *other == Kind::Floor(kind.wire());
    if matches!(kind, Kind::Floor(_)) { 0 } else { kinds.iter().position(own).unwrap_or(0) }
}

/// Prints the medians of the rounds, and the medians of each round's ratios to the floor.
pub fn print(count: usize, kinds: &[Kind], rounds: &[Vec<Measured>]) {
    println!("\n{count} clients, medians of {} rounds (/f: ratio to the floor's)", rounds.len());
    println!(
        "{:20} {:>8} {:>5} {:>8} {:>5} {:>9} {:>9} {:>9} {:>5} {:>9} {:>9} {:>5} {:>8} {:>7}",
        "",
        "us each",
        "/f",
        "in 20s",
        "/f",
        "first p50",
        "med p50",
        "last p50",
        "/f",
        "last p99",
        "read p50",
        "/f",
        "k each/s",
        "KiB"
    );
    for (index, kind) in kinds.iter().enumerate() {
        let floor = floor_of(*kind, kinds);
        let of = |figure: &dyn Fn(&Measured) -> f64| {
            let values: Vec<f64> = rounds.iter().map(|round| figure(&round[index])).collect();
            let ratio = |round: &Vec<Measured>| figure(&round[index]) / figure(&round[floor]);
            let ratios: Vec<f64> = rounds.iter().map(ratio).collect();
            (median(&values), median(&ratios))
        };
        let (each, each_ratio) = of(&|m| m.per_delivery);
        let (burst, burst_ratio) = of(&|m| m.per_delivery_in_bursts);
        let (last, last_ratio) = of(&|m| median(&m.last));
        let (read, read_ratio) = of(&|m| median(&m.read));
        println!(
            "{:20} {each:8.2} {each_ratio:5.2} {burst:8.2} {burst_ratio:5.2} {:9.0} {:9.0} \
             {last:9.0} {last_ratio:5.2} {:9.0} {read:9.0} {read_ratio:5.2} {:8.0} {:7.2}",
            kind.name(),
            of(&|m| median(&m.first)).0,
            of(&|m| median(&m.median)).0,
            of(&|m| quantile(&m.last, 0.99)).0,
            of(&|m| m.deliveries_a_second / 1e3).0,
            of(&|m| m.kib_a_connection).0,
        );
    }
    for (index, kind) in kinds.iter().enumerate() {
        let of = |figure: &dyn Fn(&Measured) -> Option<f64>| -> Vec<f64> {
            rounds.iter().filter_map(|round| figure(&round[index])).collect()
        };
        let costs = of(&|m| m.per_delivery_of_values);
        if !costs.is_empty() {
            let ratios = of(&|m| Some(m.per_delivery_of_values? / m.per_delivery));
            let name = format!("{}, values of variables", kind.name());
            let (cost, ratio) = (median(&costs), median(&ratios));
            println!("{name:38} {cost:8.2} us each, {ratio:5.2} of a trigger's");
        }
    }
    print_paced(kinds, rounds);
    for (index, kind) in kinds.iter().enumerate() {
        let all = |which: &dyn Fn(&Measured) -> Vec<f64>| -> Vec<f64> {
            rounds.iter().flat_map(|round| which(&round[index])).collect()
        };
        let trips = all(&|m| m.probe_round_trips.clone());
        let turns = all(&|m| m.probe_turnarounds.clone());
        if !trips.is_empty() {
            println!(
                "{}: {} probes during fan-outs: round trip p50 {:.0} us, p99 {:.0} us; arrival \
                 to reply p99 {:.0} us",
                kind.name(),
                trips.len(),
                median(&trips),
                quantile(&trips, 0.99),
                quantile(&turns, 0.99)
            );
        }
    }
}

fn print_paced(kinds: &[Kind], rounds: &[Vec<Measured>]) {
    for (place, millis) in paced::INTERVALS_MILLIS.iter().enumerate() {
        let cost = |measured: &Measured| measured.per_delivery_paced.map(|costs| costs[place]);
        for (index, kind) in kinds.iter().enumerate() {
            let costs: Vec<f64> = rounds.iter().filter_map(|round| cost(&round[index])).collect();
            let floor = floor_of(*kind, kinds);
            let ratio = |round: &Vec<Measured>| Some(cost(&round[index])? / cost(&round[floor])?);
            let ratios: Vec<f64> = rounds.iter().filter_map(ratio).collect();
            if !costs.is_empty() {
                let name = format!("{}, bangs {millis} ms apart", kind.name());
                println!("{name:38} {:8.2} us each, {:5.2} /f", median(&costs), median(&ratios));
            }
        }
    }
}
