//! Shared support of the window's tests: a rasteriser, scenes, and a window to operate.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod raster;
pub mod rooms;
pub mod scenes;

use downbeat::{
    action::Action,
    event::SessionEvent,
    state::State,
    time::LocalTime,
    ui::{self, Memory, View, theme},
};
use egui::Vec2;
use egui_kittest::{Harness, HarnessBuilder, kittest::Queryable as _};

/// The window under test: its state, its time, and the actions it requested.
pub struct Window {
    pub state: State,
    pub now: LocalTime,
    pub memory: Memory,
    /// The actions, except those that ask to be told about the room.
    pub actions: Vec<Action>,
    /// What was asked about the room.
    pub watches: Vec<bool>,
    /// Whether the session has no room for actions.
    pub is_session_full: bool,
}

/// A window of the initial size.
pub fn open(state: State) -> Harness<'static, Window> {
    open_sized(state, ui::FIRST_SIZE, 1.0)
}

/// A window of the initial size that shows this view.
pub fn open_view(state: State, view: View) -> Harness<'static, Window> {
    let mut window = open(state);
    show(&mut window, view);
    window
}

/// Switches to a view.
pub fn show(window: &mut Harness<'static, Window>, view: View) {
    window.get_by_label(&format!("{} view", view.text())).click();
    window.step();
    window.step();
}

/// A window of this size in points, with `scale` pixels per point.
pub fn open_sized(state: State, size: Vec2, scale: f32) -> Harness<'static, Window> {
    let window = Window {
        state,
        now: scenes::NOW,
        memory: Memory::default(),
        actions: Vec::new(),
        watches: Vec::new(),
        is_session_full: false,
    };
    HarnessBuilder::default()
        .with_size(size)
        .with_pixels_per_point(scale)
        .with_render_cursor(false)
        .renderer(raster::Rasteriser::default())
        .with_context_setup(theme::install)
        .build_ui_state(
            |ui, window: &mut Window| {
                let actions = ui::show(ui, &window.state, window.now, &mut window.memory);
                for action in actions {
                    if window.is_session_full {
                        window.memory.dropped(&action);
                        continue;
                    }
                    for event in answers(&window.state, &action) {
                        window.state.apply(event, window.now);
                    }
                    match action {
                        Action::Watch(room) => window.watches.push(room),
                        other => window.actions.push(other),
                    }
                }
            },
            window,
        )
}

/// The session's first answers to an action.
fn answers(state: &State, action: &Action) -> Vec<SessionEvent> {
    match action {
        Action::CancelUploads(ids) => {
            ids.iter().map(|id| SessionEvent::UploadRemoved { id: *id }).collect()
        }
        _ => answer(state, action).into_iter().collect(),
    }
}

/// The session's first answer to an action, if it has one.
fn answer(state: &State, action: &Action) -> Option<SessionEvent> {
    Some(match action.clone() {
        Action::SelectSound(name) => SessionEvent::SoundSelected { name },
        Action::SetName(name) => SessionEvent::NameChanged { name },
        Action::SetMuted(muted) => SessionEvent::MuteChanged { muted },
        Action::Lock(locked) => SessionEvent::Locked { locked, by: None },
        // A room that is watched already stays as it is.
        Action::Watch(watching) if state.room.is_some() == watching => return None,
        Action::Watch(watching) => SessionEvent::Watching(watching),
        Action::SetVolume(volume) => SessionEvent::VolumeChanged { volume },
        Action::SetOutput(choice) => SessionEvent::OutputChosen(choice),
        Action::SetExtraLatency(extra_latency) => {
            SessionEvent::ExtraLatencyChanged { extra_latency }
        }
        Action::SetRelay(relay) => {
            SessionEvent::RelayChanged { relay: relay.displayed().to_owned() }
        }
        Action::SetAppearance(appearance) => SessionEvent::AppearanceChanged(appearance),
        Action::SetVariable(request) => {
            SessionEvent::ValueApplied { name: request.name, value: request.value }
        }
        Action::Bang(_)
        | Action::StopAll
        | Action::Stop(_)
        | Action::Assign(_)
        | Action::AssignEach(_)
        | Action::CancelUploads(_)
        | Action::Forget(_)
        | Action::Command { .. }
        | Action::Upload(_)
        | Action::EditSounds(_)
        | Action::Join(_)
        | Action::EnterCode { .. }
        | Action::RetryNow => return None,
    })
}
