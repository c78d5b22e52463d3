//! The header: the relay and the state of its connection, the lead, the clock error, and stop-all. A
//! press on the relay opens the address editor.

use egui::{Align2, Color32, Id, Rect, Ui, pos2, vec2};

use super::{
    address_editor::{self, AddressEditor},
    format,
    memory::Memory,
    theme::{self, GRID, PAD, color, size},
    widgets::{self, Look},
};
use crate::{
    action::Action,
    event::RelayProtocol,
    state::{ConnectionState, State},
};

const STOP_WIDTH: f32 = 16.0 * GRID;
const STAT_WIDTH: f32 = 9.0 * GRID;
/// The relay's name gets at least this; the room lists the numbers too.
const MIN_NAME_WIDTH: f32 = 25.0 * GRID;

/// Shows the header.
pub(super) fn show(ui: &mut Ui, rect: Rect, state: &State, memory: &mut Memory) -> Vec<Action> {
    ui.painter().rect_filled(rect, 0.0, color::PANEL);
    ui.painter().hline(rect.x_range(), rect.bottom(), egui::Stroke::new(1.0, color::LINE));
    let inside = rect.shrink2(vec2(PAD, 1.5 * GRID));
    match &mut memory.address {
        Some(editor) => {
            let (open, actions) = address_editor::show(ui, inside, editor);
            if !open {
                memory.address = None;
            }
            actions
        }
        None => show_line(ui, inside, state, memory),
    }
}

fn show_line(ui: &mut Ui, inside: Rect, state: &State, memory: &mut Memory) -> Vec<Action> {
    let mut actions = Vec::new();
    let stop = Rect::from_min_max(pos2(inside.right() - STOP_WIDTH, inside.top()), inside.max);
    let button = widgets::button(ui, stop, "Stop all", Look::Stop);
    if button.on_hover_text("Stop all sounds on every machine (Esc)").clicked() {
        actions.push(Action::StopAll);
    }
    let mut right = stop.left() - PAD;
    if let ConnectionState::Connected(RelayProtocol::V1 { .. }) = state.connection {
        let room = ((right - inside.left() - MIN_NAME_WIDTH) / STAT_WIDTH).max(0.0) as usize;
        let mut numbers = stats(state);
        if room == 1 && state.sync_status.is_loose() {
            // If there is room for one, it is the bad one.
            numbers.reverse();
        }
        for (title, value, ink) in numbers.into_iter().take(room) {
            let place = Rect::from_min_max(
                pos2(right - STAT_WIDTH, inside.top()),
                pos2(right, inside.bottom()),
            );
            show_stat(ui, place, title, &value, ink);
            right = place.left();
        }
    }

    let relay =
        Rect::from_min_max(inside.min - vec2(GRID, 0.0), pos2(right - GRID, inside.bottom()));
    let response = widgets::pressable(ui, relay, Id::unique("relay"), "Change relay", false);
    if response.hovered() || response.has_focus() {
        widgets::surface(ui, &response, relay, color::RAISED, color::LINE);
    }
    if response.on_hover_text("Connect to another relay").clicked() {
        memory.address = Some(AddressEditor::new(&state.relay));
    }
    let (lamp, status) = connection(state);
    widgets::lamp(ui.painter(), pos2(relay.left() + 2.0 * GRID, relay.center().y), lamp);
    let text = Rect::from_min_max(relay.min + vec2(4.0 * GRID, 0.0), relay.max - vec2(GRID, 0.0));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.54);
    let name = [(state.relay.as_str(), theme::bold(size::NAME), color::TEXT)];
    widgets::line(ui, top, Align2::LEFT_CENTER, &name);
    let line = [(status.as_str(), theme::regular(size::SMALL), color::MUTED)];
    let label = widgets::line(ui, bottom, Align2::LEFT_CENTER, &line);
    widgets::announce(ui, &label);
    actions
}

/// The colour of the lamp, and the state of the connection in words.
fn connection(state: &State) -> (Color32, String) {
    match &state.connection {
        ConnectionState::Connecting => (color::WARN, "Connecting…".to_owned()),
        ConnectionState::Connected(RelayProtocol::V1 { .. }) => {
            (color::GOOD, format!("Connected as {}", state.name))
        }
        ConnectionState::Connected(RelayProtocol::Tutorial) => {
            (color::WARN, "Tutorial relay: one sound, played on arrival".to_owned())
        }
        ConnectionState::Lost { .. } | ConnectionState::InvalidAddress { .. } => {
            (color::BAD, "Not connected".to_owned())
        }
    }
}

/// The numbers, from right to left.
fn stats(state: &State) -> [(&'static str, String, Color32); 2] {
    let clock = match state.sync_status.clock_error_micros() {
        Some(micros) => {
            let ink = if state.sync_status.is_loose() { color::WARN } else { color::TEXT };
            (format!("±{}", format::micros(micros.into())), ink)
        }
        None => ("–".to_owned(), color::MUTED),
    };
    let lead = match state.roster.lead_micros {
        0 => ("–".to_owned(), color::MUTED),
        micros => (format::micros(micros.into()), color::TEXT),
    };
    [("LEAD", lead.0, lead.1), ("CLOCK", clock.0, clock.1)]
}

fn show_stat(ui: &mut Ui, rect: Rect, title: &str, value: &str, ink: Color32) {
    let (top, bottom) = rect.split_top_bottom_at_fraction(0.54);
    let runs = [(value, theme::bold(size::BODY), ink)];
    widgets::line(ui, top, Align2::RIGHT_CENTER, &runs);
    widgets::caption(ui, bottom, Align2::RIGHT_CENTER, title);
}
