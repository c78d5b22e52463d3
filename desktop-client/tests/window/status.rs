//! The status of this machine and the room in the window.

use downbeat::{event::SessionEvent, state::State, ui::MIN_SIZE};
use egui_kittest::kittest::Queryable as _;

use crate::support::{open, open_sized, scenes};

#[test]
fn a_sync_problem_is_shown_until_it_is_over() {
    let mut state = scenes::playing();
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) }, scenes::NOW);
    let mut window = open(state);
    window.get_by_label("±2.4 ms");
    let problem = "Timing may be off by ±2.4 ms: the network or the output is unsteady.";
    window.get_by_label(problem);
    scenes::straggle(&mut window.state_mut().state);
    window.run();
    window.get_by_label_contains("Needs 620 ms of lead; the limit is 500 ms");
    window.state_mut().state.apply(SessionEvent::Roster(scenes::roster()), scenes::NOW);
    window.state_mut().state.apply(SessionEvent::Clock { error_micros: Some(300) }, scenes::NOW);
    window.run();
    assert!(window.query_by_label(problem).is_none());
    window.get_by_label("Last played");
}

#[test]
fn the_smallest_window_shows_the_problematic_value() {
    let mut state = scenes::playing();
    let shown = |state: &State| {
        let window = open_sized(state.clone(), MIN_SIZE, 1.0);
        let seen = |title| window.query_by_label(title).is_some();
        (seen("LEAD"), seen("CLOCK"))
    };
    assert_eq!(shown(&state), (true, false));
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) }, scenes::NOW);
    assert_eq!(shown(&state), (false, true));
}

#[test]
fn problems_are_shown_where_they_matter() {
    let mut state = scenes::playing();
    state.apply(
        SessionEvent::OutputLost { reason: "the sound server has no device".to_owned() },
        scenes::NOW,
    );
    state.apply(
        SessionEvent::SoundFailed {
            name: "chord".to_owned(),
            reason: "its file is cut short".to_owned(),
        },
        scenes::NOW,
    );
    state.apply(SessionEvent::Refused { reason: "too many bangs".to_owned() }, scenes::NOW);
    let mut window = open(state);
    window.get_by_label_contains("the sound server has no device");
    window.get_by_label("No output");
    window.get_by_label("chord: its file is cut short");
    window.get_by_label("The relay refused: too many bangs.");

    // The next trigger clears the refusal.
    let played = scenes::played("kick", scenes::NOW);
    window.state_mut().state.apply(SessionEvent::Played(played), scenes::NOW);
    window.step();
    assert!(window.query_by_label_contains("refused").is_none());
    window.get_by_label("No output: this machine is silent.");
}

#[test]
fn the_room_lists_its_clients() {
    let window = open_sized(scenes::playing(), egui::Vec2::new(960.0, 1200.0), 1.0);
    window.get_by_label("bell  by  stage-left");
    window.get_by_label("41 here");
    window.get_by_label("lab-3  you");
    window.get_by_label("window · within ±28 µs");
    window.get_by_label("page · only ±2.4 ms");
    window.get_by_label("window · starts late: needs 14 ms of lead");
}
