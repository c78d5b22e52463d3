//! What the window shows after which events.

use std::{sync::Arc, time::Duration};

use downbeat_protocol::{BankNow, MachineEntry, MachinesChange, SoundInfo};

use super::*;
use crate::{
    event::{RelayProtocol, SessionEvent, UploadProgress, UploadUpdate},
    time::LocalTime,
    waveform::Waveform,
};

const NOW: LocalTime = LocalTime::from_nanos(0);

fn state() -> State {
    State::new("lab".to_owned(), "lab-3".to_owned(), 0.5, OutputChoice::SystemDefault)
}

fn waveform() -> Arc<Waveform> {
    Arc::new(Waveform::of(&[0.5], 1))
}

fn sound(name: &str, hash: &str) -> SoundInfo {
    SoundInfo {
        name: name.to_owned(),
        hash: hash.to_owned(),
        bytes: 44,
        frames: 0,
        rate: 48_000,
        channels: 1,
        looped: None,
        gain_db: 0.0,
    }
}

fn bank(number: u64, sounds: Vec<SoundInfo>) -> BankNow {
    BankNow { sounds, default_sound: "click".to_owned(), bank: number, removed: Vec::new() }
}

fn connect(state: &mut State, sounds: Vec<SoundInfo>) {
    let protocol = RelayProtocol::Tutorial;
    state.apply(SessionEvent::Connected { protocol, bank: bank(1, sounds) }, NOW);
}

fn select(state: &mut State, name: &str) {
    state.apply(SessionEvent::SoundSelected { name: name.to_owned() }, NOW);
}

#[test]
fn only_the_last_triggers_are_kept() {
    let mut state = state();
    for index in 0..3 * RECENT as i64 {
        state.apply(
            SessionEvent::Played(Played {
                sound: "click".to_owned(),
                by: None,
                own: false,
                at: LocalTime::from_nanos(index),
                late: false,
            }),
            NOW,
        );
    }
    assert_eq!(state.recent.len(), RECENT);
    assert_eq!(state.last().unwrap().at, LocalTime::from_nanos(3 * RECENT as i64 - 1));
}

#[test]
fn a_reconnection_keeps_the_selection_and_what_is_decoded() {
    let mut state = state();
    connect(&mut state, vec![sound("click", "a"), sound("bell", "b")]);
    assert_eq!(state.selected.as_deref(), Some("click"));
    select(&mut state, "bell");
    state.apply(SessionEvent::SoundReady { name: "bell".to_owned(), waveform: waveform() }, NOW);
    state.apply(
        SessionEvent::Lost { reason: "it closed".to_owned(), retry_in: Duration::from_millis(300) },
        NOW,
    );
    assert!(!state.can_bang());
    connect(&mut state, vec![sound("click", "changed"), sound("bell", "b")]);
    assert_eq!(state.selected.as_deref(), Some("bell"));
    assert_eq!(state.bank[0].readiness, Readiness::Loading);
    assert_eq!(state.bank[1].readiness, Readiness::Ready);

    // If the bank lacks it, the selection is the relay's default.
    connect(&mut state, vec![sound("click", "a")]);
    assert_eq!(state.selected.as_deref(), Some("click"));
}

#[test]
fn a_sound_that_loads_on_first_use_is_shown_as_such_until_it_is_decoded() {
    let mut state = state();
    connect(&mut state, vec![sound("bell", "b")]);
    let name = || "bell".to_owned();
    for (event, readiness) in [
        (SessionEvent::SoundOnFirstUse { name: name() }, Readiness::OnFirstUse),
        (SessionEvent::SoundLoading { name: name() }, Readiness::Loading),
        (SessionEvent::SoundReady { name: name(), waveform: waveform() }, Readiness::Ready),
    ] {
        state.apply(event, NOW);
        assert_eq!(state.bank[0].readiness, readiness);
    }
}

#[test]
fn a_local_stop_is_shown_until_there_is_a_relay() {
    let mut state = state();
    state.apply(SessionEvent::StoppedLocally, NOW);
    assert!(state.stopped_locally);
    connect(&mut state, vec![sound("bell", "b")]);
    assert!(!state.stopped_locally);
}

#[test]
fn a_changed_bank_keeps_the_selection_if_it_has_it() {
    let mut state = state();
    connect(&mut state, vec![sound("click", "a"), sound("bell", "b")]);
    state.apply(SessionEvent::SoundReady { name: "bell".to_owned(), waveform: waveform() }, NOW);
    select(&mut state, "bell");
    let changed = |sounds| SessionEvent::BankChanged(bank(2, sounds));
    state.apply(changed(vec![sound("bell", "b"), sound("click", "a"), sound("kick", "k")]), NOW);
    let names: Vec<_> = state.bank.iter().map(|sound| sound.info.name.as_str()).collect();
    assert_eq!(names, ["bell", "click", "kick"]);
    assert_eq!(state.bank[0].readiness, Readiness::Ready);
    assert_eq!(state.selected.as_deref(), Some("bell"));
    state.apply(changed(vec![sound("click", "a")]), NOW);
    assert_eq!(state.selected.as_deref(), Some("click"));
    assert!(state.can_bang(), "the connection is the same");
    state.apply(changed(vec![sound("clack", "a"), sound("click", "c")]), NOW);
    assert_eq!(state.selected.as_deref(), Some("clack"), "it was renamed");
}

#[test]
fn another_relay_is_shown_as_connecting_and_its_room_as_unknown() {
    let mut state = state();
    connect(&mut state, vec![sound("click", "a")]);
    state.apply(SessionEvent::Clock { error_micros: Some(20) }, NOW);
    state.apply(SessionEvent::RelayChanged { relay: "stage".to_owned() }, NOW);
    assert_eq!(state.connection, ConnectionState::Connecting);
    assert_eq!(state.relay, "stage");
    assert_eq!(state.sync_status.clock_error_micros(), None);
}

#[test]
fn a_retry_of_the_same_relay_keeps_the_reason_visible() {
    let mut state = state();
    state.apply(
        SessionEvent::Lost { reason: "refused".to_owned(), retry_in: Duration::from_secs(1) },
        NOW,
    );
    state.apply(SessionEvent::Connecting { relay: "lab".to_owned() }, NOW);
    assert!(
        matches!(&state.connection, ConnectionState::Lost { reason, .. } if reason == "refused")
    );
}

fn join(state: &mut State, id: u32) {
    let protocol = RelayProtocol::V1 { id: ClientId(id), max_lead_micros: 500_000 };
    state
        .apply(SessionEvent::Connected { protocol, bank: bank(1, vec![sound("click", "a")]) }, NOW);
}

fn with_rights(state: &mut State, rights: Rights, locked: bool) {
    state.apply(SessionEvent::Machine(MachineRecord { rights, ..MachineRecord::default() }), NOW);
    state.apply(SessionEvent::Locked { locked, by: None }, NOW);
}

#[test]
fn who_may_bang_depends_on_the_rights_and_on_the_lock() {
    let mut state = state();
    join(&mut state, 7);
    for (rights, locked, may) in [
        (Rights::Conductor, true, true),
        (Rights::Player, false, true),
        (Rights::Player, true, false),
        (Rights::Listener, false, false),
    ] {
        with_rights(&mut state, rights, locked);
        assert_eq!(state.can_bang(), may, "{rights:?}, locked: {locked}");
        assert_eq!(state.prohibition().is_none(), may);
    }
    // Another relay has not said anything yet.
    state.apply(SessionEvent::RelayChanged { relay: "stage".to_owned() }, NOW);
    assert_eq!((state.rights(), state.locked), (Rights::Conductor, false));
}

#[test]
fn reports_are_known_of_this_machine_and_of_those_of_a_watched_room() {
    let mut state = state();
    join(&mut state, 7);
    let report = |triggers| Report { triggers, ..Report::default() };
    state.apply(SessionEvent::Reported(report(1)), NOW);
    assert_eq!(state.report_of(ClientId(7)), Some(&report(1)));
    let entry: MachineEntry = serde_json::from_value(serde_json::json!({
        "id": 2, "name": "stage", "kind": "page", "rights": "player",
        "report": { "triggers": 5, "late": 0, "xruns": 0 },
    }))
    .unwrap();
    let change = MachinesChange { clients: vec![entry], ..MachinesChange::default() };
    state.apply(SessionEvent::Machines(change.clone()), NOW);
    assert_eq!(state.room, None, "it is not watched");
    state.apply(SessionEvent::Watching(true), NOW);
    state.apply(SessionEvent::Machines(change), NOW);
    assert_eq!(state.report_of(ClientId(2)), Some(&report(5)));
    state.apply(SessionEvent::Lost { reason: String::new(), retry_in: Duration::ZERO }, NOW);
    assert_eq!((state.report_of(ClientId(2)), state.report_of(ClientId(7))), (None, None));
}

#[test]
fn an_upload_that_ends_after_its_bank_has_come_knows_that_bank() {
    let mut state = state();
    join(&mut state, 7);
    let update = |progress| {
        SessionEvent::Upload(UploadUpdate { id: 1, file: "kick.wav".to_owned(), progress })
    };
    state.apply(update(UploadProgress::Decoding), NOW);
    state.apply(SessionEvent::BankChanged(bank(2, vec![sound("kick", "k")])), NOW);
    let (sound, hash) = ("kick".to_owned(), "k".to_owned());
    state.apply(update(UploadProgress::Added { sound, hash }), NOW);
    assert_eq!(state.uploads.iter().next().unwrap().bank, Some(2));
}

#[test]
fn an_upload_is_ready_by_the_numbers_of_the_relay_that_is_joined_now() {
    let mut state = state();
    join(&mut state, 7);
    state.apply(SessionEvent::BankChanged(bank(40, vec![sound("kick", "k")])), NOW);
    let progress = UploadProgress::Added { sound: "kick".to_owned(), hash: "k".to_owned() };
    let update = UploadUpdate { id: 1, file: "kick.wav".to_owned(), progress };
    state.apply(SessionEvent::Upload(update), NOW);
    let known = |state: &State| state.uploads.iter().next().unwrap().bank;
    assert_eq!(known(&state), Some(40));
    let reason = "it was started again".to_owned();
    state.apply(SessionEvent::Lost { reason, retry_in: Duration::ZERO }, NOW);
    let protocol = RelayProtocol::V1 { id: ClientId(1), max_lead_micros: 500_000 };
    let connected =
        |sounds| SessionEvent::Connected { protocol: protocol.clone(), bank: bank(1, sounds) };
    state.apply(connected(vec![sound("kick", "k")]), NOW);
    assert_eq!(known(&state), Some(1));
    state.apply(connected(Vec::new()), NOW);
    assert_eq!(known(&state), None, "it has lost the sound");
}
