//! The protocol against scripted relays, in virtual time.

use downbeat_protocol::{By, Limits, RelayTime, RosterChange, RosterEntry};

use super::*;

const NOW: LocalTime = LocalTime::from_nanos(0);

/// A client whose hello is sent.
fn connected() -> ProtocolState {
    let mut protocol = ProtocolState::new("lab-3".to_owned(), ClientKind::Window, None);
    let hello = protocol.connected(NOW);
    assert!(matches!(hello, ClientToRelay::Hello(hello) if hello.name == "lab-3"));
    protocol
}

fn reconnect(protocol: &mut ProtocolState) {
    protocol.disconnected();
    protocol.connected(NOW);
}

fn trigger(seq: u64) -> Trigger {
    Trigger {
        seq,
        play_at: RelayTime::from_micros(seq * 1000),
        sound: "click".into(),
        gain: 1.0,
        rate: 1.0,
        pan: 0.0,
        tone: None,
        target: None,
        stagger_micros: 0,
        on_arrival: false,
        data: None,
        by: By { id: ClientId(1), name: "a".into() },
    }
}

fn trigger_text(seq: u64) -> String {
    encode(&RelayToClient::Trigger(trigger(seq)))
}

fn welcome(epoch: u64, sounding: &[u64]) -> String {
    encode(&RelayToClient::Welcome(Welcome {
        id: ClientId(7),
        epoch: Epoch(epoch),
        now: RelayTime::from_micros(1),
        relay: "test".into(),
        limits: Limits { message_bytes: 1, min_lead_micros: 1, max_lead_micros: 1 },
        sounds: vec![],
        default_sound: "click".into(),
        bank: 1,
        removed: Vec::new(),
        machine: MachineRecord::default(),
        locked: false,
        variables: Vec::new(),
        pending: Vec::new(),
        sounding: sounding
            .iter()
            .map(|seq| Sounding { trigger: trigger(*seq), stop_at: None })
            .collect(),
        sounding_from: None,
        total: 1,
        clients: vec![client(7)],
        lead_micros: 1,
    }))
}

fn client(id: u32) -> RosterEntry {
    RosterEntry {
        id: ClientId(id),
        name: format!("m{id}"),
        kind: ClientKind::Window,
        plays: false,
        seat: None,
        tags: Vec::new(),
        straggler: false,
    }
}

fn missed(incoming: &Incoming) -> Vec<u64> {
    match incoming {
        Incoming::Welcomed { missed, .. } => missed.iter().map(|s| s.trigger.seq).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repeated_trigger_is_ignored() {
    let mut protocol = connected();
    protocol.receive(&welcome(1, &[]));
    assert!(matches!(protocol.receive(&trigger_text(1)), Incoming::Trigger(_)));
    assert!(matches!(protocol.receive(&trigger_text(1)), Incoming::Ignored(_)));
    assert!(matches!(protocol.receive(&trigger_text(2)), Incoming::Trigger(_)));
}

#[test]
fn a_reconnection_yields_only_the_triggers_that_were_missed() {
    let mut protocol = connected();
    assert_eq!(missed(&protocol.receive(&welcome(1, &[4]))), [4]);
    assert!(matches!(protocol.receive(&trigger_text(5)), Incoming::Trigger(_)));
    reconnect(&mut protocol);
    assert_eq!(missed(&protocol.receive(&welcome(1, &[4, 5, 7]))), [7]);
    assert!(matches!(protocol.receive(&trigger_text(6)), Incoming::Ignored(_)));
}

#[test]
fn a_restarted_relay_numbers_its_triggers_from_one_again() {
    let mut protocol = connected();
    protocol.receive(&welcome(1, &[]));
    protocol.receive(&trigger_text(900));
    reconnect(&mut protocol);
    let welcomed = protocol.receive(&welcome(2, &[]));
    assert!(matches!(welcomed, Incoming::Welcomed { new_epoch: true, .. }));
    assert!(matches!(protocol.receive(&trigger_text(1)), Incoming::Trigger(_)));
}

#[test]
fn a_bank_is_accepted_only_after_the_welcome() {
    let bank = BankNow { sounds: vec![], default_sound: "bell".into(), bank: 2, removed: vec![] };
    let text = encode(&RelayToClient::Bank(bank.clone()));
    let mut protocol = connected();
    assert!(matches!(protocol.receive(&text), Incoming::Ignored(_)));
    protocol.receive(&welcome(1, &[]));
    protocol.receive(&trigger_text(1));
    assert_eq!(protocol.receive(&text), Incoming::BankChanged(bank));
    assert!(matches!(protocol.receive(&trigger_text(1)), Incoming::Ignored(_)), "it stays seen");
}

#[test]
fn the_roster_is_kept_by_its_changes_and_replaced_by_each_welcome() {
    let change = |ids: &[u32], left: &[u32]| {
        encode(&RelayToClient::Roster(RosterChange {
            total: 9,
            clients: ids.iter().map(|id| client(*id)).collect(),
            left: left.iter().map(|id| ClientId(*id)).collect(),
            lead_micros: 1,
        }))
    };
    let ids = |incoming: &Incoming| match incoming {
        Incoming::Roster(roster) => roster.clients.iter().map(|c| c.id.0).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let mut protocol = connected();
    protocol.receive(&welcome(1, &[]));
    assert_eq!(ids(&protocol.receive(&change(&[1], &[]))), [1, 7]);
    assert_eq!(ids(&protocol.receive(&change(&[3], &[1]))), [3, 7]);
    reconnect(&mut protocol);
    protocol.receive(&welcome(1, &[]));
    assert_eq!(ids(&protocol.receive(&change(&[8], &[]))), [7, 8]);
}

#[test]
fn a_name_that_was_assigned_is_that_of_targets_and_of_the_next_hello() {
    let named = |name: &str| MachineRecord { name: Some(name.into()), ..MachineRecord::default() };
    let target = |name: &str| Target { names: vec![name.into()], ..Target::default() };
    let mut protocol = connected();
    protocol.receive(&welcome(1, &[]));
    assert!(protocol.is_in(Some(&target("lab-3"))));
    protocol.receive(&encode(&RelayToClient::Machine(named("harp"))));
    assert!(protocol.is_in(Some(&target("harp"))) && !protocol.is_in(Some(&target("lab-3"))));
    // A record without a name leaves the present one.
    protocol.receive(&encode(&RelayToClient::Machine(MachineRecord::default())));
    protocol.disconnected();
    let hello = protocol.connected(NOW);
    assert!(matches!(hello, ClientToRelay::Hello(hello) if hello.name == "harp"));
}

#[test]
fn a_text_that_is_not_json_reveals_a_tutorial_relay() {
    let mut protocol = connected();
    assert_eq!(protocol.receive("trigger-output"), Incoming::TutorialTrigger);
    assert_eq!(protocol.phase(), Phase::Tutorial);
}

#[test]
fn a_relay_that_is_known_has_longer_for_its_welcome_unless_another_is_chosen() {
    let mut protocol = connected();
    let first = protocol.welcome_deadline().unwrap();
    protocol.receive(&welcome(1, &[]));
    reconnect(&mut protocol);
    let known = protocol.welcome_deadline().unwrap();
    assert_eq!((first.nanos_since(NOW), known.nanos_since(NOW)), (1_000_000_000, 10_000_000_000));
    protocol.check_deadline(first);
    assert!(matches!(protocol.phase(), Phase::AwaitingWelcome { .. }));
    assert!(matches!(
        protocol.receive(&welcome(1, &[])),
        Incoming::Welcomed { new_epoch: false, .. }
    ));
    protocol.forget_relay();
    protocol.connected(NOW);
    assert_eq!(protocol.welcome_deadline(), Some(first));
}

#[test]
fn a_silent_relay_counts_as_tutorial_until_a_late_welcome() {
    let mut protocol = connected();
    let deadline = protocol.welcome_deadline().unwrap();
    protocol.check_deadline(deadline.plus_nanos(-1));
    assert_eq!(protocol.phase(), Phase::AwaitingWelcome { deadline });
    protocol.check_deadline(deadline);
    assert_eq!(protocol.phase(), Phase::Tutorial);
    protocol.receive(&welcome(1, &[]));
    assert_eq!(protocol.phase(), Phase::V1(ClientId(7)));
}

#[test]
fn a_bang_is_encoded_in_the_protocol_of_the_relay_and_not_before_it_is_known() {
    let request = TriggerRequest::default();
    let mut protocol = connected();
    assert_eq!(protocol.encode_bang(&request), None);
    protocol.receive("trigger-output");
    assert_eq!(protocol.encode_bang(&request).as_deref(), Some(TUTORIAL_TRIGGER_INPUT));
    protocol.receive(&welcome(1, &[]));
    let text = encode(&ClientToRelay::Trigger(request.clone()));
    assert_eq!(protocol.encode_bang(&request), Some(text));
    protocol.disconnected();
    assert_eq!(protocol.encode_bang(&request), None);
}

#[test]
fn an_unknown_message_of_a_newer_relay_is_ignored() {
    let mut protocol = connected();
    protocol.receive(&welcome(1, &[]));
    let unknown = r#"{"type":"tempo","bpm":120}"#;
    assert!(matches!(protocol.receive(unknown), Incoming::Ignored(_)));
    assert!(matches!(protocol.receive("trigger-output"), Incoming::Ignored(_)));
    assert!(matches!(protocol.phase(), Phase::V1(_)));
}
