//! What the window shows after which events.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{event::RelayProtocol, time::LocalTime, waveform::Waveform};

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
    }
}

fn connect(state: &mut State, bank: Vec<SoundInfo>) {
    let default_sound = "click".to_owned();
    let protocol = RelayProtocol::Tutorial;
    state.apply(SessionEvent::Connected { protocol, bank, default_sound });
}

fn select(state: &mut State, name: &str) {
    state.apply(SessionEvent::SoundSelected { name: name.to_owned() });
}

#[test]
fn only_the_last_triggers_are_kept() {
    let mut state = state();
    for index in 0..3 * RECENT as i64 {
        state.apply(SessionEvent::Played(Played {
            sound: "click".to_owned(),
            by: None,
            own: false,
            at: LocalTime::from_nanos(index),
            late: false,
        }));
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
    state.apply(SessionEvent::SoundReady { name: "bell".to_owned(), waveform: waveform() });
    state.apply(SessionEvent::Lost {
        reason: "it closed".to_owned(),
        retry_in: Duration::from_millis(300),
    });
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
        state.apply(event);
        assert_eq!(state.bank[0].readiness, readiness);
    }
}

#[test]
fn a_local_stop_is_shown_until_there_is_a_relay() {
    let mut state = state();
    state.apply(SessionEvent::StoppedLocally);
    assert!(state.stopped_locally);
    connect(&mut state, vec![sound("bell", "b")]);
    assert!(!state.stopped_locally);
}

#[test]
fn a_changed_bank_keeps_the_selection_if_it_has_it() {
    let mut state = state();
    connect(&mut state, vec![sound("click", "a"), sound("bell", "b")]);
    state.apply(SessionEvent::SoundReady { name: "bell".to_owned(), waveform: waveform() });
    select(&mut state, "bell");
    let changed = |bank| SessionEvent::BankChanged { bank, default_sound: "click".to_owned() };
    state.apply(changed(vec![sound("bell", "b"), sound("click", "a"), sound("kick", "k")]));
    let names: Vec<_> = state.bank.iter().map(|sound| sound.info.name.as_str()).collect();
    assert_eq!(names, ["bell", "click", "kick"]);
    assert_eq!(state.bank[0].readiness, Readiness::Ready);
    assert_eq!(state.selected.as_deref(), Some("bell"));
    state.apply(changed(vec![sound("click", "a")]));
    assert_eq!(state.selected.as_deref(), Some("click"));
    assert!(state.can_bang(), "the connection is the same");
}

#[test]
fn another_relay_is_shown_as_connecting_and_its_room_as_unknown() {
    let mut state = state();
    connect(&mut state, vec![sound("click", "a")]);
    state.apply(SessionEvent::Clock { error_micros: Some(20) });
    state.apply(SessionEvent::RelayChanged { relay: "stage".to_owned() });
    assert_eq!(state.connection, ConnectionState::Connecting);
    assert_eq!(state.relay, "stage");
    assert_eq!(state.sync_status.clock_error_micros(), None);
}

#[test]
fn a_retry_of_the_same_relay_keeps_the_reason_visible() {
    let mut state = state();
    state.apply(SessionEvent::Lost {
        reason: "refused".to_owned(),
        retry_in: Duration::from_secs(1),
    });
    state.apply(SessionEvent::Connecting { relay: "lab".to_owned() });
    assert!(
        matches!(&state.connection, ConnectionState::Lost { reason, .. } if reason == "refused")
    );
}
