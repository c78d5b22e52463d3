//! `downbeat.v1` over real sockets.

use downbeat_protocol::{
    ClientId, ClientToRelay, ErrorCode, Probe, RelayToClient, Report, Roster, StopRequest,
    TargetRequest, TriggerRequest,
};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::common::{self, TestRelay, bang, hello};

fn refusal(message: RelayToClient) -> (ErrorCode, String) {
    match message {
        RelayToClient::Error(refusal) => (refusal.code, refusal.message),
        other => panic!("not an error: {other:?}"),
    }
}

#[tokio::test]
async fn a_hello_is_answered_by_a_welcome() {
    let relay = TestRelay::start().await;
    let (_first, one) = relay.player("one").await;
    let (_second, two) = relay.player("two").await;
    assert_ne!(one.id, two.id);
    assert_eq!(one.epoch, two.epoch);
    assert_eq!(one.default_sound, "click");
    assert!(one.sounds.iter().any(|sound| sound.name == "click" && sound.hash.len() == 64));
    assert_eq!(one.limits.message_bytes, 16_384);
    assert_eq!((one.limits.min_lead_micros, one.limits.max_lead_micros), (5_000, 500_000));
    assert!(two.now >= one.now);
    assert_eq!(one.sounding, []);
    relay.end().await;
}

#[tokio::test]
async fn two_relays_have_two_epochs() {
    let (one, two) = (TestRelay::start().await, TestRelay::start().await);
    assert_ne!(one.player("a").await.1.epoch, two.player("a").await.1.epoch);
}

#[tokio::test]
async fn before_its_hello_a_client_neither_sends_nor_receives() {
    let relay = TestRelay::start().await;
    let mut unadmitted = relay.unadmitted().await;
    let (mut player, _) = relay.player("known").await;
    unadmitted.send(bang("click")).await;
    assert_eq!(refusal(unadmitted.receive().await).0, ErrorCode::HelloFirst);
    player.send(bang("bell")).await;
    assert_eq!(player.receive_trigger().await.sound, "bell", "the first trigger");
    // It is admitted after that, and receives only what follows.
    unadmitted.send(hello("late")).await;
    let RelayToClient::Welcome(welcome) = unadmitted.receive().await else {
        panic!("not a welcome")
    };
    assert_eq!(welcome.sounding.len(), 1);
    player.send(bang("kick")).await;
    assert_eq!(unadmitted.receive_trigger().await.sound, "kick");
}

#[tokio::test]
async fn a_probe_is_answered_with_its_arrival_and_its_reply() {
    let relay = TestRelay::start().await;
    let (mut player, welcome) = relay.player("clock").await;
    let mut last = welcome.now;
    for sent in [i64::MIN, 0, 81_240_133] {
        player.send(ClientToRelay::Probe(Probe { sent })).await;
        let RelayToClient::ProbeReply(reply) = player.receive().await else {
            panic!("not a reply")
        };
        assert_eq!(reply.sent, sent);
        assert!(last <= reply.received && reply.received <= reply.replied);
        last = reply.replied;
    }
}

#[tokio::test]
async fn a_trigger_reaches_everyone_with_a_number_and_an_instant() {
    let relay = TestRelay::start().await;
    let ((mut one, welcome), (mut two, _)) = (relay.player("one").await, relay.player("two").await);
    let request = TriggerRequest {
        sound: Some("bell".into()),
        gain: 0.5,
        rate: 2.0,
        pan: -0.25,
        target: Some(TargetRequest {
            names: vec!["two".into(), "nobody".into()],
            ..TargetRequest::default()
        }),
        data: Some(json!({"bar": 12})),
        ..TriggerRequest::default()
    };
    one.send(ClientToRelay::Trigger(request)).await;
    let trigger = one.receive_trigger().await;
    assert_eq!(two.receive_trigger().await, trigger);
    assert_eq!(trigger.seq, 1);
    assert!(trigger.play_at.micros_since(welcome.now) >= i64::from(welcome.lead_micros));
    assert_eq!((trigger.gain, trigger.rate, trigger.pan), (0.5, 2.0, -0.25));
    assert_eq!(trigger.data, Some(json!({"bar": 12})));
    assert_eq!((trigger.by.id, trigger.by.name.as_str()), (welcome.id, "one"));
    let delay = |name: &str| trigger.delay_micros(ClientId(99), name, &[]);
    assert_eq!((delay("two"), delay("one")), (Some(0), None));

    two.send(ClientToRelay::Trigger(TriggerRequest::default())).await;
    let trigger = one.receive_trigger().await;
    assert_eq!((trigger.seq, trigger.sound.as_str()), (2, "click"));
}

#[tokio::test]
async fn a_late_client_learns_what_sounds_and_what_will_stop() {
    let relay = TestRelay::start().await;
    let (mut player, _) = relay.player("early").await;
    player.send(bang("texture")).await;
    let texture = player.receive_trigger().await;
    player.send(bang("texture")).await;
    let second = player.receive_trigger().await;

    let (_, welcome) = relay.player("late").await;
    let sounding: Vec<_> = welcome.sounding.iter().map(|sounding| &sounding.trigger).collect();
    assert_eq!(sounding, [&texture, &second]);

    player.send(ClientToRelay::Stop(StopRequest { trigger: Some(texture.seq), sound: None })).await;
    let RelayToClient::Stop(stop) = player.receive().await else { panic!("not a stop") };
    assert_eq!((stop.seq, stop.trigger, stop.sound), (3, Some(texture.seq), None));
    let (_, welcome) = relay.player("later").await;
    // The stop takes effect after the lead, which may or may not have passed by now.
    let left: Vec<_> = welcome.sounding.iter().filter(|s| s.stop_at.is_none()).collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].trigger, second);
}

#[tokio::test]
async fn an_invalid_message_is_answered_by_an_error() {
    let relay = TestRelay::start().await;
    let (mut player, _) = relay.player("clumsy").await;
    for (text, code) in [
        ("", ErrorCode::Malformed),
        ("trigger-input", ErrorCode::Malformed),
        (r#"{"type":"probe"}"#, ErrorCode::Malformed),
        (r#"{"type":"dance"}"#, ErrorCode::UnknownType),
        (r#"{"type":"trigger","gain":5}"#, ErrorCode::InvalidValue),
        (r#"{"type":"trigger","target":["one"]}"#, ErrorCode::Malformed),
        (r#"{"type":"trigger","when":{"after_micros":3600000001}}"#, ErrorCode::InvalidValue),
        (r#"{"type":"trigger","sound":"bel"}"#, ErrorCode::UnknownSound),
        (r#"{"type":"stop","sound":"bel"}"#, ErrorCode::UnknownSound),
        (r#"{"type":"hello","name":"b","kind":"page","client":""}"#, ErrorCode::NotAllowed),
    ] {
        player.send_text(text).await;
        assert_eq!(refusal(player.receive().await).0, code, "{text}");
    }
    futures_util::SinkExt::send(&mut player.0, Message::binary(&b"{}"[..])).await.unwrap();
    assert_eq!(refusal(player.receive().await).0, ErrorCode::Malformed);
    player.send(bang("click")).await;
    assert_eq!(player.receive_trigger().await.seq, 1, "none of them was numbered");
}

#[tokio::test]
async fn names_are_cleaned_and_an_empty_one_is_refused() {
    let relay = TestRelay::start().await;
    let mut player = relay.unadmitted().await;
    player.send(hello(" \u{1b} ")).await;
    assert_eq!(refusal(player.receive().await).0, ErrorCode::InvalidValue);
    player.send(hello(" lab\u{7}-3 \n")).await;
    assert!(matches!(player.receive().await, RelayToClient::Welcome(_)));
    assert_eq!(relay.health().await["clients"][0]["name"], "lab-3");
}

/// Applies roster changes until `what` holds.
async fn follow(player: &mut common::Player, known: &mut Roster, what: impl Fn(&Roster) -> bool) {
    while !what(known) {
        if let RelayToClient::Roster(change) = player.receive_any().await.unwrap() {
            known.update(change);
        }
    }
}

#[tokio::test]
async fn everyone_receives_the_roster_and_who_plays() {
    let relay = TestRelay::start().await;
    let (mut one, welcome) = relay.player("one").await;
    let mut known = welcome.roster();
    assert_eq!((known.total, known.clients[0].name.as_str()), (1, "one"));
    let (mut two, _) = relay.player("two").await;
    follow(&mut one, &mut known, |roster| roster.clients.len() == 2).await;
    assert_eq!((known.total, known.clients[1].name.as_str()), (2, "two"));

    let report = Report { lead_micros: Some(14_200), triggers: 3, ..Report::default() };
    two.send(ClientToRelay::Report(report.clone())).await;
    follow(&mut one, &mut known, |roster| roster.clients[1].plays).await;
    assert!(!known.clients[0].plays);
    assert_eq!(known.lead_micros, 14_200);
    // The reports are for the relay, and for those who watch.
    let health = relay.health().await;
    assert_eq!(health["clients"][1]["report"]["triggers"], 3, "{health}");

    let hopeless = Report { lead_micros: Some(900_000), ..report };
    one.send(ClientToRelay::Report(hopeless)).await;
    follow(&mut one, &mut known, |roster| roster.clients[0].straggler).await;
    assert_eq!(known.lead_micros, 14_200, "the room does not wait for a straggler");

    drop(two);
    follow(&mut one, &mut known, |roster| roster.clients.len() == 1).await;
    assert_eq!(known.total, 1);
}

#[tokio::test]
async fn an_unlisted_straggler_learns_that_it_is_one() {
    let relay = TestRelay::start().await;
    let mut crowd = Vec::new();
    for number in 0..70 {
        crowd.push(relay.player(&format!("m{number}")).await);
    }
    let need = |lead_micros| {
        ClientToRelay::Report(Report { lead_micros: Some(lead_micros), ..Report::default() })
    };
    let last = &crowd[69].1;
    assert!(last.clients.len() <= 65 && last.roster().get(last.id).is_some());
    for (player, _) in &mut crowd[..4] {
        player.send(need(14_000)).await;
        player.settle().await;
    }
    for place in [69, 4] {
        let (player, welcome) = &mut crowd[place];
        player.send(need(900_000)).await;
        let mut known = welcome.roster();
        let is_informed = |roster: &Roster| roster.get(welcome.id).is_some_and(|own| own.straggler);
        follow(player, &mut known, is_informed).await;
    }
}

#[tokio::test]
async fn a_report_changes_the_lead_of_the_next_trigger() {
    let relay = TestRelay::start().await;
    let (mut player, _) = relay.player("one").await;
    player
        .send(ClientToRelay::Report(Report { lead_micros: Some(200_000), ..Report::default() }))
        .await;
    player.send(ClientToRelay::Probe(Probe { sent: 0 })).await;
    let RelayToClient::ProbeReply(before) = player.receive().await else { panic!("not a reply") };
    player.send(bang("click")).await;
    let lead = player.receive_trigger().await.play_at.micros_since(before.replied);
    assert!(lead >= 190_000, "{lead} µs");
}
