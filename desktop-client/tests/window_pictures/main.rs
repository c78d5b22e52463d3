//! Snapshots of the window's main states. `UPDATE_SNAPSHOTS=1` updates them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod gallery;
mod room;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use downbeat::event::SessionEvent;
use downbeat::settings::{Appearance, ExtraLatency};
use downbeat::state::State;
use downbeat::ui::{FIRST_SIZE, MIN_SIZE, View};
use egui::Vec2;
use egui_kittest::{SnapshotOptions, kittest::Queryable as _};
use support::{open, open_sized, open_view, scenes, show};

fn picture_sized(name: &str, state: State, size: Vec2, scale: f32) {
    let mut window = open_sized(state, size, scale);
    window.step();
    check(&mut window, name);
}

fn check(window: &mut egui_kittest::Harness<'_, support::Window>, name: &str) {
    // The rasteriser is exact, except for rounding of the last bit of a float.
    let options = SnapshotOptions::new().threshold(0.6).max_failed_pixels(8);
    window.snapshot_options(name, &options);
}

fn picture(name: &str, state: State) {
    picture_sized(name, state, FIRST_SIZE, 1.0);
}

#[test]
fn connecting() {
    picture("connecting", scenes::with_output());
}

#[test]
fn connected() {
    let mut state = scenes::playing();
    state.apply(SessionEvent::Meter { peak: [0.35, 0.22] }, scenes::NOW);
    picture("connected", state);
}

#[test]
fn flash() {
    let mut state = scenes::playing();
    state.apply(
        SessionEvent::Played(scenes::played("bell", scenes::NOW.plus_nanos(-30_000_000))),
        scenes::NOW,
    );
    state.apply(SessionEvent::Meter { peak: [0.9, 0.8] }, scenes::NOW);
    picture("flash", state);
}

#[test]
fn lost() {
    let mut state = scenes::playing();
    scenes::lose(&mut state);
    picture("lost", state);
}

#[test]
fn an_untrusted_certificate_in_the_smallest_window() {
    let mut state = scenes::with_output();
    let seen = downbeat::net::credentials::Fingerprint::of(b"another certificate");
    // The longest message about a certificate.
    let why = "the certificate is not signed by an authority this machine trusts";
    let reason = downbeat::net::tls::UntrustedCertificate::Unknown { seen, why }.to_string();
    state.apply(SessionEvent::Lost { reason, retry_in: Duration::from_secs(5) }, scenes::NOW);
    picture_sized("untrusted", state, MIN_SIZE, 1.0);
}

#[test]
fn invalid_address() {
    let mut state = scenes::with_output();
    state.apply(
        SessionEvent::InvalidAddress {
            reason: "'studio pc' is not a relay's address: use HOST, HOST:PORT or http://HOST:PORT"
                .to_owned(),
        },
        scenes::NOW,
    );
    picture("invalid_address", state);
}

#[test]
fn no_output() {
    let mut state = scenes::playing();
    state.apply(
        SessionEvent::OutputLost { reason: "the sound server has no device".to_owned() },
        scenes::NOW,
    );
    state.apply(SessionEvent::Outputs(Vec::new()), scenes::NOW);
    picture("no_output", state);
}

#[test]
fn trouble() {
    let mut state = scenes::playing();
    state.apply(
        SessionEvent::SoundFailed {
            name: "chord".to_owned(),
            reason: "its file ends before its data does".to_owned(),
        },
        scenes::NOW,
    );
    let mut late = scenes::played("texture", scenes::NOW.plus_nanos(-9_000_000_000));
    late.late = true;
    state.apply(SessionEvent::Played(late), scenes::NOW);
    state.apply(
        SessionEvent::Refused { reason: "more than 500 bangs a second; wait a moment".to_owned() },
        scenes::NOW,
    );
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) }, scenes::NOW);
    picture("trouble", state);
}

#[test]
fn loose_clock() {
    let mut state = scenes::playing();
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) }, scenes::NOW);
    picture("loose_clock", state);
}

#[test]
fn narrow_loose_clock() {
    let mut state = scenes::playing();
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) }, scenes::NOW);
    picture_sized("narrow_loose_clock", state, MIN_SIZE, 1.0);
}

#[test]
fn straggler() {
    let mut state = scenes::playing();
    scenes::straggle(&mut state);
    picture("straggler", state);
}

fn extra_latency_changed(millis: f64) -> SessionEvent {
    SessionEvent::ExtraLatencyChanged { extra_latency: ExtraLatency::from_millis(millis) }
}

#[test]
fn extra_latency() {
    let mut state = scenes::playing();
    state.apply(extra_latency_changed(182.5), scenes::NOW);
    let mut window = open_view(state, View::Settings);
    window.hover_at(egui::Pos2::ZERO);
    window.run();
    check(&mut window, "extra_latency");
}

#[test]
fn editing_the_extra_latency() {
    let mut state = scenes::playing();
    state.apply(extra_latency_changed(-500.0), scenes::NOW);
    let mut window = open_view(state, View::Settings);
    window.get_by_label("Extra latency").click();
    window.run();
    window.hover_at(egui::Pos2::ZERO);
    window.run();
    check(&mut window, "editing_the_extra_latency");
}

#[test]
fn tutorial_relay() {
    let mut state = scenes::with_output();
    scenes::connect_tutorial(&mut state);
    picture("tutorial_relay", state);
}

#[test]
fn narrow() {
    picture_sized("narrow", scenes::playing(), MIN_SIZE, 1.0);
}

#[test]
fn narrow_lost() {
    let mut state = scenes::playing();
    scenes::lose(&mut state);
    picture_sized("narrow_lost", state, MIN_SIZE, 1.0);
}

#[test]
fn large() {
    picture_sized("large", scenes::instrument(), Vec2::new(1600.0, 1000.0), 1.0);
}

fn colored(appearance: Appearance) -> State {
    let mut state = scenes::instrument();
    state.apply(SessionEvent::AppearanceChanged(appearance), scenes::NOW);
    state
}

#[test]
fn playing_in_light_colours() {
    picture_sized("playing_light", colored(Appearance::Light), FIRST_SIZE, 1.0);
}

#[test]
fn playing_in_high_contrast() {
    let size = Vec2::new(480.0, 800.0);
    picture_sized("playing_high_contrast", colored(Appearance::HighContrast), size, 1.0);
}

fn view(name: &str, view: View, size: Vec2) {
    let mut window = open_sized(scenes::instrument(), size, 1.0);
    show(&mut window, view);
    window.hover_at(egui::Pos2::ZERO);
    window.step();
    check(&mut window, name);
}

#[test]
fn bang() {
    view("bang", View::Bang, FIRST_SIZE);
}

#[test]
fn room() {
    view("room", View::Room, FIRST_SIZE);
}

#[test]
fn narrow_room() {
    view("narrow_room", View::Room, MIN_SIZE);
}

#[test]
fn settings() {
    view("settings", View::Settings, FIRST_SIZE);
}

#[test]
fn choosing_a_target() {
    let mut window = open(scenes::instrument());
    for label in ["Target", "Target stage-left", "Tag right", "Round the room"] {
        window.get_by_label(label).click();
        window.step();
        window.step();
    }
    window.hover_at(egui::Pos2::ZERO);
    window.step();
    check(&mut window, "choosing_a_target");
}

#[test]
fn twice_as_fine() {
    picture_sized("twice_as_fine", scenes::playing(), FIRST_SIZE, 2.0);
}

#[test]
fn choosing_an_output() {
    let mut window = open_view(scenes::playing(), View::Settings);
    window.get_by_label("Output").click();
    window.run();
    window.hover_at(egui::Pos2::ZERO);
    window.run();
    check(&mut window, "choosing_an_output");
}

#[test]
fn changing_the_relay() {
    let mut window = open(scenes::playing());
    window.get_by_label("Change relay").click();
    window.run();
    check(&mut window, "changing_the_relay");
}
