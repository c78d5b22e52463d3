//! Watching in virtual time: what is told, when, to whom, and how much that is.

use std::sync::Arc;

use downbeat_protocol::{
    By, ClientKind, MachineId, MachinesChange, Missed, RelayToClient, Report, Rights, Trigger,
    TriggerRequest, encode,
};

use super::*;
use crate::{
    room::{lead::Lead, state::Room},
    store::Assigned,
};

fn at(seconds: f64) -> RelayTime {
    RelayTime::from_micros((seconds * 1e6).round() as u64)
}

/// A room in which client 1, a remote, watches.
fn watched(members: std::ops::RangeInclusive<u32>) -> Room {
    let mut room = Room::new(Lead::new(5_000, 500_000));
    let watcher = Member::new("desk".into(), ClientKind::Remote, Rights::Conductor);
    room.enter(ClientId(1), watcher);
    for id in members {
        enter(&mut room, id);
    }
    room.watching.start(ClientId(1)).unwrap();
    room
}

fn enter(room: &mut Room, id: u32) {
    let machine = Some(MachineId(u128::from(id)));
    let member = Member::new(format!("m{id}"), ClientKind::Headless, Rights::Player);
    room.enter(ClientId(id), member.on(machine).by("test/1"));
}

fn report(lead_micros: u32) -> Report {
    Report { lead_micros: Some(lead_micros), clock_error_micros: Some(30), ..Report::default() }
}

fn trigger(room: &mut Room, now: f64) -> Trigger {
    let by = By { id: ClientId(1), name: "desk".into() };
    let trigger = room.trigger(TriggerRequest::default(), None, "bell", Some(1), by, at(now));
    room.expect(&trigger, at(now));
    trigger
}

fn news(room: &mut Room, now: f64) -> Vec<News> {
    room.news(at(now), |_| true)
}

/// What the only watcher is told about the machines.
fn machines(room: &mut Room, now: f64) -> MachinesChange {
    let news = news(room, now);
    news.into_iter().next().and_then(|news| news.machines).unwrap_or_default()
}

fn ids(change: &MachinesChange) -> Vec<u32> {
    change.clients.iter().map(|entry| entry.id.0).collect()
}

fn size(news: &[News]) -> usize {
    let size = |news: &News| {
        let machines = news.machines.clone().map(RelayToClient::Machines);
        let receipts = news.receipts.iter().cloned().map(RelayToClient::Receipt);
        let bytes: usize = machines.into_iter().chain(receipts).map(|m| encode(&m).len()).sum();
        bytes * news.to.len()
    };
    news.iter().map(size).sum()
}

#[test]
fn who_begins_to_watch_is_told_all_machines_64_at_a_time() {
    let mut room = watched(2..=150);
    let counts: Vec<_> =
        (0..4).map(|n| machines(&mut room, f64::from(n) / 4.0).clients.len()).collect();
    assert_eq!(counts, [64, 64, 22, 0]);
    // Another one later, too, and the first is told nothing again.
    room.watching.start(ClientId(2)).unwrap();
    let news = news(&mut room, 2.0);
    assert_eq!((news.len(), &news[0].to[..]), (1, &[ClientId(2)][..]));
    assert_eq!(news[0].machines.as_ref().unwrap().clients.len(), 64);
}

#[test]
fn nobody_is_told_anything_who_does_not_watch() {
    let mut room = watched(2..=9);
    assert_eq!(news(&mut room, 0.0)[0].to, [ClientId(1)]);
    room.watching.stop(ClientId(1));
    enter(&mut room, 10);
    trigger(&mut room, 1.0);
    assert_eq!(news(&mut room, 1.0), []);
    // Nor was anything kept.
    room.watching.start(ClientId(1)).unwrap();
    let all = news(&mut room, 2.0);
    assert_eq!((all[0].receipts.len(), all[0].machines.as_ref().unwrap().clients.len()), (0, 10));
}

#[test]
fn at_most_64_watch_and_who_leaves_makes_place() {
    let mut room = watched(2..=70);
    for id in 2..=64 {
        assert_eq!(room.watching.start(ClientId(id)), Ok(true));
        assert_eq!(room.watching.start(ClientId(id)), Ok(false));
    }
    assert_eq!(room.watching.start(ClientId(65)).unwrap_err().code, ErrorCode::Full);
    room.leave(ClientId(2));
    assert_eq!(room.watching.start(ClientId(65)), Ok(true));
}

#[test]
fn a_change_of_state_is_told_at_the_next_tick_and_a_small_one_every_ten_seconds() {
    let mut room = watched(2..=3);
    room.report(ClientId(2), report(14_000), at(0.0));
    assert_eq!(ids(&machines(&mut room, 0.0)), [1, 2, 3]);
    // A counter.
    room.report(ClientId(2), Report { triggers: 1, ..report(14_000) }, at(2.0));
    assert!(ids(&machines(&mut room, 2.0)).is_empty());
    assert!(ids(&machines(&mut room, 9.75)).is_empty());
    let change = machines(&mut room, 10.0);
    assert_eq!(ids(&change), [2]);
    assert_eq!(change.clients[0].report.as_ref().unwrap().triggers, 1);
    // Noise, for as long as it lasts.
    for n in 1..100 {
        let seconds = f64::from(20 + 2 * n);
        let error = Some(25 + n % 10);
        let noisy = Report { triggers: 1, clock_error_micros: error, ..report(14_000 + n) };
        room.report(ClientId(2), noisy, at(seconds));
        assert!(ids(&machines(&mut room, seconds)).is_empty());
    }
    // State.
    let late = Report { triggers: 2, late: 1, lateness_micros: Some(9000), ..report(14_000) };
    room.report(ClientId(2), late.clone(), at(300.0));
    assert_eq!(ids(&machines(&mut room, 300.25)), [2]);
    room.report(ClientId(2), Report { lead_micros: None, ..late.clone() }, at(300.3));
    assert_eq!(ids(&machines(&mut room, 300.5)), [2]);
    // The room waits for it no more.
    room.report(ClientId(2), Report { lead_micros: Some(900_000), ..late }, at(301.0));
    machines(&mut room, 301.0);
    room.tick(at(301.25));
    assert!(room.members[&ClientId(2)].straggler);
    assert!(machines(&mut room, 301.25).clients.is_empty(), "told with the report");
    let assigned = Assigned { muted: Some(true), ..Assigned::default() };
    room.members.get_mut(&ClientId(3)).unwrap().assigned = Arc::new(assigned);
    assert_eq!(ids(&machines(&mut room, 301.5)), [3]);
}

#[test]
fn who_leaves_is_told_once_and_not_to_those_who_never_knew() {
    let mut room = watched(2..=5);
    machines(&mut room, 0.0);
    room.leave(ClientId(3));
    enter(&mut room, 6);
    room.leave(ClientId(6));
    let change = machines(&mut room, 0.25);
    assert_eq!((change.left, change.clients), (vec![ClientId(3)], vec![]));
    assert_eq!(news(&mut room, 0.5), []);
    // One that was listed, but not yet told about.
    room.watching.start(ClientId(2)).unwrap();
    for id in 10..=200 {
        enter(&mut room, id);
    }
    machines(&mut room, 0.75);
    room.leave(ClientId(200));
    let told: Vec<_> = (4..9).flat_map(|n| news(&mut room, f64::from(n) / 4.0)).collect();
    let left = told.iter().filter_map(|news| news.machines.as_ref()).flat_map(|m| m.left.clone());
    assert_eq!(left.count(), 0);
}

#[test]
fn machines_that_are_kept_are_away_until_they_return() {
    let mut room = watched(2..=3);
    let seat = Arc::new(Assigned { seat: Some(9), ..Assigned::default() });
    room.machines.keep(MachineId(3), "m3");
    room.machines.assign(MachineId(3), seat, true);
    let change = machines(&mut room, 0.0);
    let number = change.clients[2].machine.unwrap();
    assert_eq!((change.clients[1].machine, change.away.len()), (None, 0));
    room.leave(ClientId(3));
    let change = machines(&mut room, 0.25);
    assert_eq!((change.left, change.returned), (vec![ClientId(3)], vec![]));
    let away = &change.away[0];
    assert_eq!((away.machine, away.name.as_str(), away.seat), (number, "m3", Some(9)));
    assert_eq!(news(&mut room, 0.5), []);
    let member = Member::new("again".into(), ClientKind::Headless, Rights::Player);
    room.enter(ClientId(4), member.on(Some(MachineId(3))));
    let change = machines(&mut room, 0.75);
    assert_eq!((change.returned, change.away.len()), (vec![number], 0));
    assert_eq!((change.clients[0].id, change.clients[0].seat), (ClientId(4), Some(9)));
    // Forgotten while it is away.
    room.leave(ClientId(4));
    machines(&mut room, 1.0);
    room.machines.forget(MachineId(3));
    assert_eq!(machines(&mut room, 1.25).returned, [number]);
}

#[test]
fn who_does_not_read_is_told_less_often_and_then_the_latest() {
    let mut room = watched(2..=3);
    machines(&mut room, 0.0);
    for n in 1..=100 {
        room.report(ClientId(2), Report { late: n, ..report(14_000) }, at(n as f64));
        assert_eq!(room.news(at(n as f64), |_| false), []);
    }
    let change = machines(&mut room, 101.0);
    assert_eq!(ids(&change), [2]);
    assert_eq!(change.clients[0].report.as_ref().unwrap().late, 100);
}

#[test]
fn what_clients_put_into_their_reports_does_not_fill_an_outbox() {
    let mut room = watched(2..=200);
    for id in 2..=200 {
        let missing = (0..16).map(|n| format!("{n}{}", "\u{1d11e}".repeat(63))).collect();
        let output = Some("\u{1d11e}".repeat(64));
        room.report(ClientId(id), Report { missing, output, ..report(14_000) }, at(0.0));
    }
    let largest = (0..100).map(|n| size(&news(&mut room, f64::from(n) / 4.0))).max().unwrap();
    assert!((32 * 1024..96 * 1024).contains(&largest), "{largest} bytes");
    assert_eq!(news(&mut room, 100.0), [], "all of it was told");
}

#[test]
fn an_idle_room_of_a_thousand_is_told_next_to_nothing() {
    // The whole list takes four seconds and the first reports.
    const BEGINS: u32 = 8;
    const SECONDS: u32 = 120;
    let mut room = watched(2..=1000);
    let (mut at_first, mut to_watcher, mut to_others) = (0, 0, 0);
    let mut random = fastrand::Rng::with_seed(1);
    for quarter in 0..4 * SECONDS {
        let now = f64::from(quarter) / 4.0;
        let mut others = 0;
        // Each reports every two seconds, and its figures scatter as those of players do.
        for id in (2..=1000).filter(|id| id % 8 == quarter % 8) {
            let scattered = Report {
                lead_micros: Some(random.u32(13_500..14_500)),
                clock_error_micros: Some(random.u32(25..45)),
                latency_micros: Some(random.u32(9_900..10_100)),
                bank: Some(1),
                ready: Some(14),
                output: Some("HDA Intel PCH".into()),
                volume_db: Some(-6.0),
                ..Report::default()
            };
            room.report(ClientId(id), scattered, at(now));
            let own = room.own_change(ClientId(id));
            others += own.map_or(0, |change| encode(&RelayToClient::Roster(change)).len());
        }
        if let Some(change) = room.tick(at(now)) {
            others += encode(&RelayToClient::Roster(change)).len() * 1000;
        }
        let bytes = size(&news(&mut room, now));
        if quarter < 4 * BEGINS {
            at_first += bytes;
        } else {
            to_watcher += bytes;
            to_others += others;
        }
    }
    let seconds = f64::from(SECONDS - BEGINS);
    let a_second = to_watcher as f64 / seconds;
    let others = to_others as f64 / 1000.0 / seconds;
    println!(
        "{at_first} bytes at first, then {a_second:.1} a second to a watcher, {others:.1} to others"
    );
    assert!(at_first < 1_000_000, "{at_first}");
    assert!(a_second < 500.0, "{a_second}");
    assert!(others < 50.0, "{others}");
}

#[test]
fn a_receipt_follows_the_answers() {
    let mut room = watched(2..=4);
    news(&mut room, 0.0);
    let seq = trigger(&mut room, 0.1).seq;
    let receipt = |room: &mut Room, now| news(room, now).remove(0).receipts.remove(0);
    let first = receipt(&mut room, 0.25);
    assert_eq!((first.seq, first.sound.as_str(), first.expected), (seq, "bell", 3));
    assert_eq!((first.sounded, first.waiting.len()), (0, 3));
    let answer = |room: &mut Room, id: u32, lateness_micros, missed| {
        let outcome = TriggerOutcome { seq, lateness_micros, missed };
        room.watching.answer(ClientId(id), &[outcome]);
    };
    answer(&mut room, 2, 0, None);
    answer(&mut room, 3, 8200, None);
    answer(&mut room, 4, 0, Some(Missed::NotReady));
    let full = receipt(&mut room, 0.5);
    assert_eq!((full.sounded, full.waiting.len()), (2, 0));
    assert_eq!((full.late[0].id, full.late[0].lateness_micros), (ClientId(3), 8200));
    assert_eq!((full.missed[0].id, full.missed[0].reason), (ClientId(4), Missed::NotReady));
    // The first answer counts, and who was not meant has none.
    answer(&mut room, 3, 0, Some(Missed::Muted));
    answer(&mut room, 1, 0, None);
    answer(&mut room, 99, 0, None);
    assert_eq!(news(&mut room, 0.75), []);
}
