//! The window's main states, as pictures. `UPDATE_SNAPSHOTS=1` takes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::time::Duration;

use downbeat::action::{Action, Trim};
use downbeat::event::SessionEvent;
use downbeat::state::State;
use downbeat::ui::{FIRST_SIZE, LEAST_SIZE};
use egui::Vec2;
use egui_kittest::{SnapshotOptions, kittest::Queryable as _};
use support::{open, open_sized, rooms};

fn picture_sized(name: &str, state: State, size: Vec2, scale: f32) {
    let mut window = open_sized(state, size, scale);
    window.step();
    check(&mut window, name);
}

fn check(window: &mut egui_kittest::Harness<'_, support::Window>, name: &str) {
    // The rasteriser is exact; what is left is how machines round the last bit of a float.
    let options = SnapshotOptions::new().threshold(0.6).max_failed_pixels(8);
    window.snapshot_options(name, &options);
}

fn picture(name: &str, state: State) {
    picture_sized(name, state, FIRST_SIZE, 1.0);
}

#[test]
fn connecting() {
    picture("connecting", rooms::with_output());
}

#[test]
fn connected() {
    let mut state = rooms::playing();
    state.apply(SessionEvent::Meter { peak: [0.35, 0.22], voices: 2 });
    picture("connected", state);
}

#[test]
fn flash() {
    let mut state = rooms::playing();
    state.apply(SessionEvent::Heard(rooms::heard("bell", rooms::NOW.plus_nanos(-30_000_000))));
    state.apply(SessionEvent::Meter { peak: [0.9, 0.8], voices: 1 });
    picture("flash", state);
}

#[test]
fn lost() {
    let mut state = rooms::playing();
    rooms::lose(&mut state);
    picture("lost", state);
}

#[test]
fn a_certificate_that_is_not_believed_in_the_smallest_window() {
    let mut state = rooms::with_output();
    let seen = downbeat::access::Fingerprint::of(b"another certificate");
    // The longest that is said of one.
    let why = "the relay's certificate is not valid yet, or this machine's date is wrong";
    let reason = downbeat::tls::Untrusted::Unknown { seen, why }.to_string();
    state.apply(SessionEvent::Lost { reason, retry_in: Duration::from_secs(5) });
    picture_sized("untrusted", state, LEAST_SIZE, 1.0);
}

#[test]
fn wrong_address() {
    let mut state = rooms::with_output();
    state.apply(SessionEvent::WrongAddress {
        reason: "“studio pc” holds a space: a host has none".to_owned(),
    });
    picture("wrong_address", state);
}

#[test]
fn no_output() {
    let mut state = rooms::playing();
    state.apply(SessionEvent::OutputLost { reason: "the sound server has no device".to_owned() });
    state.apply(SessionEvent::Outputs(Vec::new()));
    picture("no_output", state);
}

#[test]
fn trouble() {
    let mut state = rooms::playing();
    state.apply(SessionEvent::SoundFailed {
        name: "chord".to_owned(),
        reason: "its file ends before its data does".to_owned(),
    });
    let mut late = rooms::heard("texture", rooms::NOW.plus_nanos(-9_000_000_000));
    late.late = true;
    state.apply(SessionEvent::Heard(late));
    state.apply(SessionEvent::Refused {
        reason: "more than 500 bangs a second; wait a moment".to_owned(),
    });
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) });
    picture("trouble", state);
}

#[test]
fn loose_clock() {
    let mut state = rooms::playing();
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) });
    picture("loose_clock", state);
}

#[test]
fn narrow_loose_clock() {
    let mut state = rooms::playing();
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) });
    picture_sized("narrow_loose_clock", state, LEAST_SIZE, 1.0);
}

#[test]
fn straggler() {
    let mut state = rooms::playing();
    rooms::straggle(&mut state);
    picture("straggler", state);
}

#[test]
fn trimmed() {
    let mut state = rooms::playing();
    state.pick(&Action::SetTrim(Trim::from_millis(182.5)));
    picture("trimmed", state);
}

#[test]
fn trimming() {
    let mut state = rooms::playing();
    state.pick(&Action::SetTrim(Trim::from_millis(-500.0)));
    let mut window = open(state);
    window.get_by_label("Trim").click();
    window.run();
    window.hover_at(egui::Pos2::ZERO);
    window.run();
    check(&mut window, "trimming");
}

#[test]
fn plain_relay() {
    let mut state = rooms::with_output();
    rooms::connect_plain(&mut state);
    picture("plain_relay", state);
}

#[test]
fn narrow() {
    picture_sized("narrow", rooms::playing(), LEAST_SIZE, 1.0);
}

#[test]
fn narrow_lost() {
    let mut state = rooms::playing();
    rooms::lose(&mut state);
    picture_sized("narrow_lost", state, LEAST_SIZE, 1.0);
}

#[test]
fn large() {
    picture_sized("large", rooms::playing(), Vec2::new(1600.0, 1000.0), 1.0);
}

#[test]
fn twice_as_fine() {
    picture_sized("twice_as_fine", rooms::playing(), FIRST_SIZE, 2.0);
}

#[test]
fn choosing_an_output() {
    let mut window = open(rooms::playing());
    window.get_by_label("Output").click();
    window.run();
    window.hover_at(egui::Pos2::ZERO);
    window.run();
    check(&mut window, "choosing_an_output");
}

#[test]
fn changing_the_relay() {
    let mut window = open(rooms::playing());
    window.get_by_label("Change relay").click();
    window.run();
    check(&mut window, "changing_the_relay");
}
