//! The room in virtual time: its instants, its lead and its roster.

use downbeat_protocol::{ClientKind, RelayToClient, Rights, TargetRequest};
use proptest::prelude::*;

use super::*;
use crate::{room::sounding::MAX_SOUNDING, store::Assigned};

const SECOND: u64 = 1_000_000;

fn at(seconds: f64) -> RelayTime {
    RelayTime::from_micros((seconds * 1e6).round() as u64)
}

/// A member that may send triggers.
fn member(name: impl Into<String>, kind: ClientKind) -> Member {
    Member::new(name.into(), kind, Rights::Conductor)
}

fn room() -> Room {
    let mut room = Room::new(Lead::new(5_000, 500_000));
    room.enter(ClientId(1), member("one", ClientKind::Window));
    room
}

fn by() -> By {
    By { id: ClientId(1), name: "one".into() }
}

fn bang(room: &mut Room, sound: &str, now: f64) -> Trigger {
    room.trigger(TriggerRequest::default(), None, sound, Some(SECOND), by(), at(now))
}

fn needs(lead_micros: u32) -> Report {
    Report { lead_micros: Some(lead_micros), ..Report::default() }
}

#[test]
fn triggers_and_stops_share_one_sequence_from_one() {
    let mut room = room();
    assert_eq!(bang(&mut room, "bell", 1.0).seq, 1);
    assert_eq!(room.stop(StopRequest::default(), by(), at(1.0)).seq, 2);
    assert_eq!(bang(&mut room, "bell", 1.0).seq, 3);
}

#[test]
fn a_need_that_rises_again_and_again_raises_the_lead_only_at_ticks() {
    let mut room = room();
    let raised = |room: &mut Room, lead_micros, now| {
        room.report(ClientId(1), needs(lead_micros), at(now));
        room.lead().micros() == lead_micros
    };
    let count = (10_000..20_000).filter(|need| raised(&mut room, *need, 1.0)).count();
    assert_eq!(count as u32, 4 * LEAD_UPDATES_PER_SECOND);
    room.tick(at(1.25));
    assert_eq!(room.lead().micros(), 19_999);
    assert!(raised(&mut room, 30_000, 2.0), "an occasional rise takes effect at once");
}

#[test]
fn only_a_member_that_reports_a_lead_is_a_player() {
    let mut room = room();
    assert!(!room.has_players() && room.has(Wire::V1) && !room.has(Wire::Tutorial));
    room.enter(ClientId(2), member("tutorial client 2", ClientKind::Tutorial));
    room.enter(ClientId(3), member("page", ClientKind::Page));
    assert!(!room.has_players() && room.has(Wire::Tutorial));
    assert_eq!((room.count(Wire::Tutorial), room.count(Wire::V1)), (1, 2));
    // A page before its first touch has a clock estimate and no output.
    room.report(ClientId(3), Report { clock_error_micros: Some(30), ..Report::default() }, at(1.0));
    assert!(!room.has_players());
    room.report(ClientId(1), needs(14_000), at(2.0));
    room.report(ClientId(1), needs(15_000), at(2.5));
    room.report(ClientId(3), needs(900_000), at(3.0));
    assert!(room.has_players());
    // A member whose output was unplugged is no player any more.
    room.report(ClientId(1), Report::default(), at(4.0));
    assert!(room.has_players(), "a straggler plays too");
    room.leave(ClientId(3));
    assert!(!room.has_players());
    room.leave(ClientId(1));
    room.leave(ClientId(2));
    assert!(!room.has(Wire::Tutorial) && !room.has(Wire::V1));
}

#[test]
fn a_trigger_plays_at_now_plus_the_lead() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(0.5));
    assert_eq!(bang(&mut room, "bell", 1.0).play_at, RelayTime::from_micros(1_014_000));
}

#[test]
fn a_trigger_in_an_emptied_room_does_not_overtake_an_earlier_one() {
    let mut room = room();
    room.report(ClientId(1), needs(500_000), at(1.0));
    let slow = bang(&mut room, "bell", 1.0).play_at;
    room.leave(ClientId(1));
    room.tick(at(1.1));
    assert!(room.lead().micros() > 490_000, "it falls no faster than in a full room");
    assert!(bang(&mut room, "bell", 1.1).play_at > slow);
}

#[test]
fn a_trigger_does_not_overtake_one_from_before_the_first_report() {
    let mut room = room();
    let before = bang(&mut room, "bell", 1.0).play_at;
    room.report(ClientId(1), needs(14_000), at(1.001));
    assert_eq!(room.lead().micros(), 14_000, "the first report sets it outright");
    assert_eq!(bang(&mut room, "bell", 1.002).play_at, before);
    assert_eq!(room.stop(StopRequest::default(), by(), at(1.003)).stop_at, before);
    assert!(bang(&mut room, "bell", 1.1).play_at > before);
}

proptest! {
    #[test]
    fn instants_never_decrease(
        steps in prop::collection::vec(
            (0_u64..300_000, 1_u32..5, 0_u32..900_000, 0_u8..5),
            1..200,
        ),
    ) {
        let mut room = Room::new(Lead::new(5_000, 500_000));
        let mut now = RelayTime::from_micros(0);
        let mut last = now;
        for (micros, id, need, what) in steps {
            now = now.plus_micros(micros);
            let id = ClientId(id);
            match what {
                0 => room.enter(id, member("one", ClientKind::Window)),
                1 => drop(room.leave(id)),
                2 => room.report(id, needs(need), now),
                3 => drop(room.tick(now)),
                _ => {
                    let instant = if need % 2 == 0 {
                        let request = TriggerRequest::default();
                        room.trigger(request, None, "bell", Some(SECOND), by(), now).play_at
                    } else {
                        room.stop(StopRequest::default(), by(), now).stop_at
                    };
                    prop_assert!(instant >= last && instant >= now);
                    last = instant;
                }
            }
        }
    }
}

#[test]
fn a_remote_does_not_raise_the_lead() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(1.0));
    room.enter(ClientId(2), member("script", ClientKind::Remote));
    room.report(ClientId(2), needs(400_000), at(1.0));
    room.tick(at(1.25));
    assert_eq!(room.lead().micros(), 14_000);
}

#[test]
fn a_listener_raises_the_lead_within_its_limit() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(1.0));
    room.enter(ClientId(2), Member::new("hall".into(), ClientKind::Page, Rights::Listener));
    room.report(ClientId(2), needs(100_000), at(1.0));
    assert_eq!(room.lead().micros(), 100_000);
    room.report(ClientId(2), needs(400_000), at(1.0));
    room.tick(at(1.0));
    assert_eq!(room.lead().micros(), 100_000);
    assert!(room.members[&ClientId(2)].straggler);
}

#[test]
fn newcomers_join_a_sound_until_it_ends() {
    let mut room = room();
    let bell = bang(&mut room, "bell", 1.0);
    assert_eq!(room.sounding(at(1.9)), [Sounding { trigger: bell, stop_at: None }]);
    // It begins 50 ms, the lead, after the trigger.
    assert_eq!(room.sounding(at(2.04)).len(), 1);
    assert_eq!(room.sounding(at(2.05)), []);
}

#[test]
fn newcomers_learn_of_a_stop_until_it_takes_effect() {
    let mut room = room();
    bang(&mut room, "bell", 1.0);
    bang(&mut room, "kick", 1.0);
    let request = StopRequest { sound: Some("bell".into()), trigger: None };
    let stop = room.stop(request, by(), at(1.5));
    let sounding = room.sounding(at(1.5));
    assert_eq!(sounding[0].stop_at, Some(stop.stop_at));
    assert_eq!(sounding[1].stop_at, None);
    // A second stop does not delay the first.
    room.stop(StopRequest::default(), by(), at(1.52));
    assert_eq!(room.sounding(at(1.52))[0].stop_at, Some(stop.stop_at));
    assert_eq!(room.sounding(stop.stop_at).len(), 1);
}

#[test]
fn at_most_as_many_triggers_as_voices_are_remembered() {
    let mut room = room();
    for _ in 0..MAX_SOUNDING + 10 {
        bang(&mut room, "bell", 1.0);
    }
    let sounding = room.sounding(at(1.0));
    assert_eq!(sounding.len(), MAX_SOUNDING);
    assert_eq!(sounding[0].trigger.seq, 11);
}

#[test]
fn who_comes_back_is_told_from_which_trigger_on_nothing_is_missing() {
    let mut room = room();
    let drone = |room: &mut Room, micros| {
        room.trigger(TriggerRequest::default(), None, "drone", micros, by(), at(1.0));
    };
    (0..MAX_SOUNDING).for_each(|_| drone(&mut room, None));
    assert_eq!(room.sounding_from(at(1.0)), None);
    drone(&mut room, None);
    drone(&mut room, Some(SECOND));
    assert_eq!((room.sounding_from(at(9.0)), room.sounding(at(1.0))[0].trigger.seq), (Some(3), 3));
    // The stop of one sound may not be that of all which were forgotten; that of everything is.
    let sound = Some("drone".to_owned());
    room.stop(StopRequest { sound, ..StopRequest::default() }, by(), at(9.0));
    assert_eq!(room.sounding_from(at(9.1)), Some(3));
    let stop = room.stop(StopRequest::default(), by(), at(10.0));
    assert_eq!(room.sounding_from(at(10.0)), Some(3));
    assert_eq!(room.sounding_from(stop.stop_at), None);

    // Those that have an end are missing until the last of them has ended.
    for seconds in [3, 1, 2] {
        drone(&mut room, Some(seconds * SECOND));
    }
    (0..MAX_SOUNDING - 1).for_each(|_| drone(&mut room, None));
    assert!(room.sounding_from(at(13.0)).is_some());
    assert_eq!(room.sounding_from(at(15.0)), None);
}

#[test]
fn the_triggers_that_are_remembered_fit_a_welcome() {
    let mut room = room();
    for _ in 0..MAX_SOUNDING {
        let request = TriggerRequest {
            when: When::AfterMicros(3600 * SECOND),
            data: Some("x".repeat(4000).into()),
            target: None,
            ..TriggerRequest::default()
        };
        let names = (0..200).map(|index| format!("{index:050}")).collect();
        let target = Target { names, ..Target::default() };
        room.trigger(request, Some(target), "bell", Some(SECOND), by(), at(1.0));
    }
    let sounding = room.sounding(at(1.0));
    let bytes = serde_json::to_string(&sounding).unwrap().len();
    assert!((110_000..132_000).contains(&bytes), "{bytes}");
    assert_eq!(room.sounding_from(at(1.0)), Some(sounding[0].trigger.seq));
}

#[test]
fn a_loop_sounds_until_a_stop_and_a_stagger_until_its_last_machine() {
    let mut room = room();
    let request = TriggerRequest::default();
    room.trigger(request.clone(), None, "drone", None, by(), at(1.0));
    let request = TriggerRequest { stagger_micros: SECOND, ..request };
    let target = Target { clients: [1, 2, 3].map(ClientId).into(), ..Target::default() };
    room.trigger(request, Some(target), "bell", Some(SECOND), by(), at(1.0));
    assert_eq!(room.sounding(at(4.0)).len(), 2);
    assert_eq!(room.sounding(at(4.05)).len(), 1);
    assert!(room.is_sounding("drone", at(90_000.0)) && !room.is_sounding("bell", at(90_000.0)));
    room.stop(StopRequest::default(), by(), at(90_000.0));
    assert_eq!(room.sounding(at(90_000.1)), []);
}

#[test]
fn a_stop_cancels_what_waits() {
    let mut room = room();
    let request = TriggerRequest { when: When::AfterMicros(SECOND), ..Default::default() };
    let waiting = room.trigger(request.clone(), None, "bell", Some(SECOND), by(), at(1.0));
    assert_eq!(waiting.play_at, at(2.05));
    assert_eq!(room.sounding(at(1.5))[0].trigger, waiting, "newcomers play it in time");
    // It delays nothing else, and one that is sounding by then only ends.
    let now = TriggerRequest { when: When::Now, ..Default::default() };
    let reflex = room.trigger(now, None, "kick", Some(9 * SECOND), by(), at(1.5));
    assert!(reflex.on_arrival && reflex.play_at == at(1.5));
    let stop = room.stop(StopRequest::default(), by(), at(1.6));
    assert_eq!(stop.stop_at, at(1.65));
    let sounding = room.sounding(at(1.6));
    assert_eq!((sounding.len(), sounding[0].stop_at), (1, Some(at(1.65))));
    // What is triggered after the stop is not cancelled.
    room.trigger(request, None, "bell", Some(SECOND), by(), at(1.6));
    assert_eq!(room.sounding(at(1.7)).len(), 1);
}

/// A room with players 1 to 4, of which 2 has no output, and a tutorial client 5.
fn seated_room() -> Room {
    let mut room = room();
    for id in 2..=4 {
        room.enter(ClientId(id), member(format!("m{id}"), ClientKind::Headless));
    }
    room.enter(ClientId(5), member("tutorial client 5", ClientKind::Tutorial));
    for id in [1, 3, 4] {
        room.report(ClientId(id), needs(14_000), at(0.5));
    }
    let mut assign = |id, assigned| {
        room.members.get_mut(&ClientId(id)).unwrap().assigned = Arc::new(assigned);
    };
    assign(4, Assigned { seat: Some(7), ..Assigned::default() });
    assign(3, Assigned { tags: vec!["left".into()], ..Assigned::default() });
    room
}

#[test]
fn a_target_for_everyone_stays_open_to_newcomers() {
    let mut room = seated_room();
    let mut resolve = |request| room.resolve_target(request, false, ClientId(1)).unwrap();
    assert_eq!(resolve(None), None);
    assert_eq!(resolve(Some(TargetRequest::default())), None);
    let others = TargetRequest { others: true, ..TargetRequest::default() };
    let except = Some(ClientId(1));
    assert_eq!(resolve(Some(others)), Some(Target { except, ..Target::default() }));
}

#[test]
fn a_stagger_goes_by_seat_and_then_by_number() {
    let mut room = seated_room();
    let mut clients = |request| {
        let target = room.resolve_target(request, true, ClientId(1));
        target.map(|target| target.unwrap().clients.iter().map(|id| id.0).collect::<Vec<_>>())
    };
    assert_eq!(clients(None).unwrap(), [4, 1, 3]);
    let others = TargetRequest { others: true, ..TargetRequest::default() };
    assert_eq!(clients(Some(others)).unwrap(), [4, 3]);
    let list = TargetRequest { clients: [2, 3, 9].map(ClientId).into(), ..Default::default() };
    assert_eq!(clients(Some(list)).unwrap(), [3]);
    let nobody = TargetRequest { tags: vec!["right".into()], ..TargetRequest::default() };
    assert_eq!(clients(Some(nobody)).unwrap_err().code, downbeat_protocol::ErrorCode::NoTarget);
}

#[test]
fn one_at_random_is_any_of_the_players_in_the_target() {
    let mut room = seated_room();
    room.random = fastrand::Rng::with_seed(1);
    let mut chosen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let one = TargetRequest { one: true, others: true, ..TargetRequest::default() };
        let target = room.resolve_target(Some(one), false, ClientId(1)).unwrap().unwrap();
        assert_eq!((target.clients.len(), target.except), (1, None));
        chosen.insert(target.clients[0].0);
    }
    assert_eq!(chosen.into_iter().collect::<Vec<_>>(), [3, 4]);
    let one = TargetRequest { one: true, names: vec!["m2".into()], ..TargetRequest::default() };
    let error = room.resolve_target(Some(one), false, ClientId(1)).unwrap_err();
    assert_eq!(error.code, downbeat_protocol::ErrorCode::NoTarget);
}

#[test]
fn a_roster_is_sent_only_when_something_has_changed() {
    let mut room = room();
    assert_eq!(room.tick(at(1.0)).unwrap().total, 1);
    assert_eq!(room.tick(at(2.0)), None);
    room.enter(ClientId(2), member("two", ClientKind::Tutorial));
    assert_eq!(room.tick(at(2.25)).unwrap().total, 2);
    // A client that comes and goes between two ticks changes nothing.
    room.enter(ClientId(3), member("three", ClientKind::Tutorial));
    room.leave(ClientId(3));
    assert_eq!(room.tick(at(2.5)), None);
}

#[test]
fn the_lead_alone_is_sent_every_two_seconds_and_a_report_alone_never() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(0.5));
    let roster = room.tick(at(1.0)).unwrap();
    assert_eq!((roster.lead_micros, roster.clients[0].plays), (14_000, true));
    room.report(ClientId(1), needs(15_000), at(1.1));
    assert_eq!(room.tick(at(2.75)), None);
    let roster = room.tick(at(3.0)).unwrap();
    assert_eq!((roster.lead_micros, roster.clients.len()), (15_000, 0));
    room.report(ClientId(1), Report { triggers: 1, ..needs(15_000) }, at(4.0));
    assert_eq!(room.tick(at(10.0)), None);
}

#[test]
fn only_changes_are_sent_and_a_newcomer_can_apply_them() {
    let mut room = room();
    room.enter(ClientId(2), member("two", ClientKind::Page));
    let mut known = room.roster_for(ClientId(2));
    assert_eq!((known.total, known.clients.len()), (2, 1), "the other follows with the tick");
    known.update(room.tick(at(1.0)).unwrap());
    assert_eq!(known, room.roster());
    // A client that comes and goes between two ticks leaves no trace.
    room.enter(ClientId(3), member("three", ClientKind::Page));
    room.enter(ClientId(4), member("four", ClientKind::Page));
    let mut newcomer = room.roster_for(ClientId(4));
    room.leave(ClientId(3));
    room.leave(ClientId(2));
    let change = room.tick(at(1.5)).unwrap();
    assert_eq!(change.clients.iter().map(|client| client.id.0).collect::<Vec<_>>(), [4]);
    assert_eq!(change.left, [ClientId(2)]);
    for roster in [&mut known, &mut newcomer] {
        roster.update(change.clone());
        assert_eq!(*roster, room.roster());
    }
}

#[test]
fn who_begins_to_play_or_to_straggle_is_sent_at_the_next_tick() {
    let mut room = room();
    assert!(!room.tick(at(1.0)).unwrap().clients[0].plays);
    room.report(ClientId(1), needs(14_000), at(1.1));
    assert!(room.tick(at(1.25)).unwrap().clients[0].plays);
    room.enter(ClientId(2), member("two", ClientKind::Page));
    let change = room.tick(at(1.5)).unwrap();
    assert_eq!(change.clients.iter().map(|client| client.id.0).collect::<Vec<_>>(), [2]);
    room.report(ClientId(1), needs(900_000), at(1.6));
    assert!(room.tick(at(1.75)).unwrap().clients[0].straggler);
    // One whose output was unplugged plays no more.
    room.report(ClientId(1), Report::default(), at(1.8));
    assert!(!room.tick(at(2.0)).unwrap().clients[0].plays);
}

#[test]
fn an_unlisted_client_is_sent_its_own_entry() {
    let mut room = room();
    for id in 2..=100 {
        room.enter(ClientId(id), member(format!("m{id}"), ClientKind::Headless));
    }
    room.tick(at(1.0));
    room.report(ClientId(1), needs(14_000), at(1.1));
    room.report(ClientId(MAX_ROSTER_ENTRIES as u32), needs(14_000), at(1.1));
    assert_eq!(room.own_change(ClientId(MAX_ROSTER_ENTRIES as u32)), None, "sent to all");
    assert_eq!(room.own_change(ClientId(100)), None, "as in its welcome");
    room.report(ClientId(100), needs(900_000), at(1.2));
    let mut known = room.roster_for(ClientId(100));
    assert_eq!(known.clients.len(), MAX_ROSTER_ENTRIES + 1);
    known.update(room.own_change(ClientId(100)).unwrap());
    assert!(known.get(ClientId(100)).unwrap().straggler);
    assert_eq!(known.total, 100);
    room.report(ClientId(100), Report { triggers: 1, ..needs(900_000) }, at(1.3));
    assert_eq!(room.own_change(ClientId(100)), None, "it knows");
    // When it becomes listed, it is in the roster once.
    for id in 2..=60 {
        room.leave(ClientId(id));
    }
    known.update(room.tick(at(3.0)).unwrap());
    assert_eq!(known.clients, room.roster().clients);
}

#[test]
fn rosters_in_a_room_of_a_thousand_take_under_half_a_megabyte_a_second() {
    const SECONDS: u32 = 60;
    let mut room = Room::new(Lead::new(5_000, 500_000));
    let mut next = 1;
    let mut enter = |room: &mut Room| {
        room.enter(ClientId(next), member(format!("machine {next:04}"), ClientKind::Headless));
        next += 1;
    };
    (0..1000).for_each(|_| enter(&mut room));
    let bytes = |change| downbeat_protocol::encode(&RelayToClient::Roster(change)).len();
    let mut sent = 0;
    for quarter in 0..4 * SECONDS {
        let now = at(f64::from(quarter) / 4.0);
        // An eighth of the members reports, each every two seconds and never the same.
        let ids: Vec<_> = room.members.keys().copied().collect();
        for id in ids.iter().skip(quarter as usize % 8).step_by(8) {
            let figure = fastrand::u32(10..99);
            let report = Report {
                lead_micros: Some(14_000 + figure),
                clock_error_micros: Some(figure),
                latency_micros: Some(10_000 + figure),
                triggers: u64::from(quarter),
                lateness_micros: Some(0),
                ..Report::default()
            };
            room.report(*id, report, now);
            sent += room.own_change(*id).map_or(0, bytes);
        }
        // Each second the first member leaves and another enters.
        if quarter % 4 == 0 {
            room.leave(ids[0]);
            enter(&mut room);
        }
        sent += room.tick(now).map_or(0, bytes) * room.members.len();
    }
    let a_second = sent / SECONDS as usize;
    println!("{a_second} bytes a second");
    assert!(a_second < 500_000, "{a_second} bytes a second");
}

#[test]
fn a_large_room_is_sent_fewer_and_partial_rosters() {
    let mut room = room();
    for id in 2..=1000 {
        room.enter(ClientId(id), member(format!("m{id}"), ClientKind::Headless));
    }
    let roster = room.tick(at(1.0)).unwrap();
    assert_eq!((roster.total, roster.clients.len()), (1000, MAX_ROSTER_ENTRIES));
    room.leave(ClientId(1000));
    assert_eq!(room.tick(at(1.25)), None);
    assert!(room.tick(at(2.0)).is_some());
}

#[test]
fn a_straggler_does_not_raise_the_lead_while_others_play() {
    let mut room = room();
    room.enter(ClientId(2), member("two", ClientKind::Page));
    room.report(ClientId(1), needs(14_000), at(1.0));
    room.report(ClientId(2), needs(900_000), at(1.0));
    assert_eq!(room.lead().micros(), 14_000);
    assert!(room.roster().clients[1].straggler);
    room.leave(ClientId(1));
    room.tick(at(1.25));
    assert_eq!(room.lead().micros(), 500_000, "only the straggler is left");
}
