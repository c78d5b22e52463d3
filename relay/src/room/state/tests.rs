//! The room in virtual time: its instants, its lead, and what it tells of who is here.

use downbeat_protocol::RelayToClient;
use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000;

fn at(seconds: f64) -> RelayTime {
    RelayTime::from_micros((seconds * 1e6).round() as u64)
}

fn room() -> Room {
    let mut room = Room::new(Lead::new(5_000, 500_000));
    room.enter(ClientId(1), Member::new("one".into(), ClientKind::Window));
    room
}

fn by() -> By {
    By { id: ClientId(1), name: "one".into() }
}

fn bang(room: &mut Room, sound: &str, now: f64) -> Trigger {
    room.trigger(TriggerRequest::default(), sound, SECOND, by(), at(now))
}

fn needs(lead_micros: u32) -> Report {
    Report { lead_micros: Some(lead_micros), ..Report::default() }
}

#[test]
fn triggers_and_stops_share_one_count_from_one() {
    let mut room = room();
    assert_eq!(bang(&mut room, "bell", 1.0).seq, 1);
    assert_eq!(room.stop(StopRequest::default(), by(), at(1.0)).seq, 2);
    assert_eq!(bang(&mut room, "bell", 1.0).seq, 3);
}

#[test]
fn one_who_needs_more_and_more_is_soon_followed_by_the_tick_only() {
    let mut room = room();
    let followed = |room: &mut Room, lead_micros, now| {
        room.report(ClientId(1), needs(lead_micros), at(now));
        room.lead().micros() == lead_micros
    };
    let count = (10_000..20_000).filter(|need| followed(&mut room, *need, 1.0)).count();
    assert_eq!(count as u32, 4 * JUDGEMENTS_PER_SECOND);
    room.tick(at(1.25));
    assert_eq!(room.lead().micros(), 19_999);
    assert!(followed(&mut room, 30_000, 2.0), "one who needs more now and then is waited for");
}

#[test]
fn only_one_who_says_what_lead_it_needs_counts_as_a_player() {
    let mut room = room();
    assert!(!room.has_players() && room.has(Wire::Modern) && !room.has(Wire::Seed));
    room.enter(ClientId(2), Member::new("plain client 2".into(), ClientKind::Plain));
    room.enter(ClientId(3), Member::new("page".into(), ClientKind::Page));
    assert!(!room.has_players() && room.has(Wire::Seed));
    assert_eq!(room.count_by_wire(), (1, 2));
    // A page before its first touch knows the time, and has no output.
    room.report(ClientId(3), Report { clock_error_micros: Some(30), ..Report::default() }, at(1.0));
    assert!(!room.has_players());
    room.report(ClientId(1), needs(14_000), at(2.0));
    room.report(ClientId(1), needs(15_000), at(2.5));
    room.report(ClientId(3), needs(900_000), at(3.0));
    assert!(room.has_players());
    // One whose output was pulled out is none any more.
    room.report(ClientId(1), Report::default(), at(4.0));
    assert!(room.has_players(), "the straggler sounds too");
    room.leave(ClientId(3));
    assert!(!room.has_players());
    room.leave(ClientId(1));
    room.leave(ClientId(2));
    assert!(!room.has(Wire::Seed) && !room.has(Wire::Modern));
}

#[test]
fn a_bang_is_stamped_with_now_and_the_lead() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(0.5));
    assert_eq!(bang(&mut room, "bell", 1.0).play_at, RelayTime::from_micros(1_014_000));
}

#[test]
fn a_bang_in_an_emptied_room_does_not_overtake_that_of_one_who_left() {
    let mut room = room();
    room.report(ClientId(1), needs(500_000), at(1.0));
    let slow = bang(&mut room, "bell", 1.0).play_at;
    room.leave(ClientId(1));
    room.tick(at(1.1));
    assert!(room.lead().micros() > 490_000, "it falls no faster than in a room of many");
    assert!(bang(&mut room, "bell", 1.1).play_at > slow);
}

#[test]
fn a_bang_does_not_overtake_one_of_before_the_first_need_was_known() {
    let mut room = room();
    let before = bang(&mut room, "bell", 1.0).play_at;
    room.report(ClientId(1), needs(14_000), at(1.001));
    assert_eq!(room.lead().micros(), 14_000, "the first need sets it outright");
    assert_eq!(bang(&mut room, "bell", 1.002).play_at, before);
    assert_eq!(room.stop(StopRequest::default(), by(), at(1.003)).stop_at, before);
    assert!(bang(&mut room, "bell", 1.1).play_at > before);
}

proptest! {
    #[test]
    fn an_instant_never_goes_back(
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
                0 => room.enter(id, Member::new("one".into(), ClientKind::Window)),
                1 => drop(room.leave(id)),
                2 => room.report(id, needs(need), now),
                3 => drop(room.tick(now)),
                _ => {
                    let stamp = if need % 2 == 0 {
                        let request = TriggerRequest::default();
                        room.trigger(request, "bell", SECOND, by(), now).play_at
                    } else {
                        room.stop(StopRequest::default(), by(), now).stop_at
                    };
                    prop_assert!(stamp >= last && stamp >= now);
                    last = stamp;
                }
            }
        }
    }
}

#[test]
fn what_was_told_to_nobody_is_told_once_and_before_its_instant() {
    let mut room = room();
    let micros = RelayTime::from_micros;
    for play_at in [10, 20, 30] {
        room.leave_untold(micros(play_at), micros(5));
    }
    assert_eq!(room.take_untold(micros(10)), [micros(20), micros(30)]);
    assert_eq!(room.take_untold(micros(10)), []);
    for play_at in 0..DUE_FRAMES as u64 + 2 {
        room.leave_untold(micros(100 + play_at), micros(5));
    }
    assert_eq!(room.take_untold(micros(10))[0], micros(102), "the earliest is forgotten");
}

#[test]
fn one_that_makes_no_sound_needs_no_lead() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(1.0));
    room.enter(ClientId(2), Member::new("script".into(), ClientKind::Remote));
    room.report(ClientId(2), needs(400_000), at(1.0));
    room.tick(at(1.25));
    assert_eq!(room.lead().micros(), 14_000);
}

#[test]
fn one_that_may_only_listen_gets_a_bounded_lead() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(1.0));
    let listener = Member::new("hall".into(), ClientKind::Page);
    room.enter(ClientId(2), Member { role: Role::Listen, ..listener });
    room.report(ClientId(2), needs(100_000), at(1.0));
    assert_eq!(room.lead().micros(), 100_000);
    room.report(ClientId(2), needs(400_000), at(1.0));
    room.tick(at(1.0));
    assert_eq!(room.lead().micros(), 100_000);
    assert!(room.members()[&ClientId(2)].straggler);
}

#[test]
fn a_sound_is_told_to_newcomers_until_it_ends() {
    let mut room = room();
    let bell = bang(&mut room, "bell", 1.0);
    assert_eq!(room.sounding(at(1.9)), [Sounding { trigger: bell, stop_at: None }]);
    // It began a lead of 50 ms after the bang.
    assert_eq!(room.sounding(at(2.04)).len(), 1);
    assert_eq!(room.sounding(at(2.05)), []);
}

#[test]
fn a_stop_is_told_until_it_is_silent() {
    let mut room = room();
    bang(&mut room, "bell", 1.0);
    bang(&mut room, "kick", 1.0);
    let wish = StopRequest { sound: Some("bell".into()), trigger: None };
    let stop = room.stop(wish, by(), at(1.5));
    let sounding = room.sounding(at(1.5));
    assert_eq!(sounding[0].stop_at, Some(stop.stop_at));
    assert_eq!(sounding[1].stop_at, None);
    // A second stop does not put off the first.
    room.stop(StopRequest::default(), by(), at(1.52));
    assert_eq!(room.sounding(at(1.52))[0].stop_at, Some(stop.stop_at));
    assert_eq!(room.sounding(stop.stop_at).len(), 1);
}

#[test]
fn no_more_is_remembered_than_a_player_has_voices() {
    let mut room = room();
    for _ in 0..SOUNDING + 10 {
        bang(&mut room, "bell", 1.0);
    }
    let sounding = room.sounding(at(1.0));
    assert_eq!(sounding.len(), SOUNDING);
    assert_eq!(sounding[0].trigger.seq, 11);
}

#[test]
fn a_roster_is_said_only_when_something_changed() {
    let mut room = room();
    assert_eq!(room.tick(at(1.0)).unwrap().total, 1);
    assert_eq!(room.tick(at(2.0)), None);
    room.enter(ClientId(2), Member::new("two".into(), ClientKind::Plain));
    assert_eq!(room.tick(at(2.25)).unwrap().total, 2);
    // Someone came and went between two ticks: nobody needs to know.
    room.enter(ClientId(3), Member::new("three".into(), ClientKind::Plain));
    room.leave(ClientId(3));
    assert_eq!(room.tick(at(2.5)), None);
}

#[test]
fn reports_alone_are_said_every_two_seconds() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(0.5));
    assert!(room.tick(at(1.0)).is_some());
    room.report(ClientId(1), Report { triggers: 1, ..needs(14_000) }, at(1.1));
    assert_eq!(room.tick(at(2.75)), None);
    assert_eq!(room.tick(at(3.0)).unwrap().clients[0].report.as_ref().unwrap().triggers, 1);
    // The same again is no news.
    room.report(ClientId(1), Report { triggers: 1, ..needs(14_000) }, at(4.0));
    assert_eq!(room.tick(at(10.0)), None);
}

#[test]
fn only_what_has_changed_is_told_and_a_newcomer_can_follow_it() {
    let mut room = room();
    room.enter(ClientId(2), Member::new("two".into(), ClientKind::Page));
    let mut known = room.roster_for(ClientId(2));
    assert_eq!((known.total, known.clients.len()), (2, 1), "the other is told with the tick");
    known.update(room.tick(at(1.0)).unwrap());
    assert_eq!(known, room.roster());
    // One who comes and goes between two ticks is nowhere left behind.
    room.enter(ClientId(3), Member::new("three".into(), ClientKind::Page));
    room.enter(ClientId(4), Member::new("four".into(), ClientKind::Page));
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
fn who_comes_and_goes_brings_no_figures_of_others() {
    let mut room = room();
    room.report(ClientId(1), needs(14_000), at(0.5));
    assert!(room.tick(at(1.0)).is_some());
    room.report(ClientId(1), Report { triggers: 1, ..needs(14_000) }, at(1.1));
    room.enter(ClientId(2), Member::new("two".into(), ClientKind::Page));
    let change = room.tick(at(1.5)).unwrap();
    assert_eq!(change.clients.iter().map(|client| client.id.0).collect::<Vec<_>>(), [2]);
    let change = room.tick(at(3.0)).unwrap();
    assert_eq!(change.clients[0].report.as_ref().unwrap().triggers, 1);
    // That the room does not wait for one does not wait itself.
    room.report(ClientId(1), needs(900_000), at(3.1));
    assert!(room.tick(at(3.25)).unwrap().clients[0].straggler);
}

#[test]
fn one_that_is_not_listed_is_told_of_itself() {
    let mut room = room();
    for id in 2..=100 {
        room.enter(ClientId(id), Member::new(format!("m{id}"), ClientKind::Headless));
    }
    room.tick(at(1.0));
    room.report(ClientId(1), needs(14_000), at(1.1));
    room.report(ClientId(100), needs(900_000), at(1.2));
    assert_eq!(room.news_of_itself(ClientId(ROSTER_ENTRIES as u32)), None, "all are told of it");
    let mut known = room.roster_for(ClientId(100));
    assert_eq!(known.clients.len(), ROSTER_ENTRIES + 1);
    known.update(room.news_of_itself(ClientId(100)).unwrap());
    assert!(known.get(ClientId(100)).unwrap().straggler);
    assert_eq!(known.total, 100);
    // When it is listed after all, it still stands there once.
    for id in 2..=60 {
        room.leave(ClientId(id));
    }
    known.update(room.tick(at(3.0)).unwrap());
    assert_eq!(known.clients, room.roster().clients);
}

#[test]
fn a_room_of_a_thousand_is_told_in_two_megabytes_a_second() {
    const SECONDS: u32 = 60;
    let mut room = Room::new(Lead::new(5_000, 500_000));
    let mut next = 1;
    let mut come = |room: &mut Room| {
        let member = Member::new(format!("machine {next:04}"), ClientKind::Headless);
        room.enter(ClientId(next), member);
        next += 1;
    };
    (0..1000).for_each(|_| come(&mut room));
    let bytes = |change| downbeat_protocol::encode(&RelayToClient::Roster(change)).len();
    let mut told = 0;
    for quarter in 0..4 * SECONDS {
        let now = at(f64::from(quarter) / 4.0);
        // An eighth of them reports, each every two seconds and never the same.
        let ids: Vec<_> = room.members().keys().copied().collect();
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
            told += room.news_of_itself(*id).map_or(0, bytes);
        }
        // Each second the first of them goes and another comes.
        if quarter % 4 == 0 {
            room.leave(ids[0]);
            come(&mut room);
        }
        told += room.tick(now).map_or(0, bytes) * room.members().len();
    }
    let a_second = told / SECONDS as usize;
    println!("{a_second} bytes a second");
    assert!(a_second < 2_000_000, "{a_second} bytes a second");
}

#[test]
fn a_large_room_is_told_less_often_and_not_everything() {
    let mut room = room();
    for id in 2..=1000 {
        room.enter(ClientId(id), Member::new(format!("m{id}"), ClientKind::Headless));
    }
    let roster = room.tick(at(1.0)).unwrap();
    assert_eq!((roster.total, roster.clients.len()), (1000, ROSTER_ENTRIES));
    room.leave(ClientId(1000));
    assert_eq!(room.tick(at(1.25)), None);
    assert!(room.tick(at(2.0)).is_some());
}

#[test]
fn a_straggler_is_told_apart_and_forgotten_when_it_leaves() {
    let mut room = room();
    room.enter(ClientId(2), Member::new("two".into(), ClientKind::Page));
    room.report(ClientId(1), needs(14_000), at(1.0));
    room.report(ClientId(2), needs(900_000), at(1.0));
    assert_eq!(room.lead().micros(), 14_000);
    assert!(room.roster().clients[1].straggler);
    room.leave(ClientId(1));
    room.tick(at(1.25));
    assert_eq!(room.lead().micros(), 500_000, "only it is left to wait for");
}
