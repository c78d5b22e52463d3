//! The header: the relay and the state of its connection, the lead, the clock error, and stop-all. A
//! press on the relay opens the address editor.

use egui::{Align2, Area, Color32, Id, Order, Rect, Ui, pos2, vec2};

use super::{
    address_editor::{self, AddressEditor},
    command::Command,
    format,
    layout::Layout,
    memory::Memory,
    relays, room, tabs,
    theme::{self, GRID, PAD, Palette, size},
    view::View,
    widgets::{self, Look},
};
use crate::{
    action::Action,
    event::RelayProtocol,
    state::{ConnectionState, State},
    time::LocalTime,
};

const STOP_WIDTH: f32 = 15.0 * GRID;
const STAT_WIDTH: f32 = 9.0 * GRID;
/// The relay's name gets at least this; the room lists the numbers too.
const MIN_NAME_WIDTH: f32 = 25.0 * GRID;

/// Shows the header.
pub(super) fn show(
    ui: &mut Ui,
    layout: &Layout,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let rect = layout.header;
    let color = theme::palette(ui);
    ui.painter().rect_filled(rect, 0.0, color.panel);
    ui.painter().hline(rect.x_range(), rect.bottom(), egui::Stroke::new(1.0, color.line));
    if !layout.is_wide {
        let row = layout.tabs;
        ui.painter().rect_filled(row, 0.0, color.panel);
        ui.painter().hline(row.x_range(), row.bottom(), egui::Stroke::new(1.0, color.line));
    }
    let inside = rect.shrink2(vec2(PAD, 1.5 * GRID));
    let mut actions = match &mut memory.address {
        Some(editor) => {
            let (open, actions) = address_editor::show(ui, inside, editor);
            if !open {
                memory.address = None;
            }
            actions
        }
        None => show_line(ui, inside, layout, state, memory),
    };
    actions.extend(show_relays(ui, inside, state, memory));
    // Where the tabs are part of the header, the address editor takes their place.
    if (!layout.is_wide || memory.address.is_none())
        && let Some(view) = tabs::show(ui, layout.tabs, memory.view, alert(state, now))
    {
        memory.view = view;
    }
    actions
}

/// Shows, below the address editor, the relays that were found.
fn show_relays(ui: &Ui, field: Rect, state: &State, memory: &mut Memory) -> Option<Action> {
    if memory.address.is_none() || !has_relays(state) {
        return None;
    }
    let mut action = None;
    let size = vec2(field.width().min(56.0 * GRID), relays::height(&state.relays) + 5.5 * GRID);
    let area = Area::new(Id::unique("found relays"))
        .order(Order::Foreground)
        .fixed_pos(field.left_bottom() + vec2(0.0, GRID))
        .fade_in(false);
    area.show(ui.ctx(), |ui| {
        let color = theme::palette(ui);
        let rect = ui.allocate_space(size).1;
        ui.painter().add(ui.visuals().popup_shadow.as_shape(rect, theme::ROUNDING));
        let edge = egui::Stroke::new(1.0, color.line);
        let kind = egui::StrokeKind::Inside;
        ui.painter().rect(rect, theme::ROUNDING, color.panel, edge, kind);
        let inside = rect.shrink(1.5 * GRID);
        let title = Rect::from_min_size(inside.min, vec2(inside.width(), 2.0 * GRID));
        widgets::caption(ui, title, Align2::LEFT_CENTER, "FOUND ON THIS NETWORK");
        let list = Rect::from_min_max(pos2(inside.left(), title.bottom() + GRID), inside.max);
        action = relays::show(ui, list, &state.relays, memory);
    });
    action
}

/// Whether there are relays to choose from: while one is joined, it is not looked for others.
fn has_relays(state: &State) -> bool {
    !matches!(state.connection, ConnectionState::Connected(_)) && !state.relays.is_empty()
}

/// The view to look at, if something is wrong there.
fn alert(state: &State, now: LocalTime) -> Option<View> {
    let is_in_trouble = state.sync_status.is_loose()
        || state.sync_status.is_straggler()
        || (state.is_conductor() && room::has_trouble(state, now));
    if state.output_problem().is_some() {
        return Some(View::Settings);
    }
    is_in_trouble.then_some(View::Room)
}

fn show_line(
    ui: &mut Ui,
    inside: Rect,
    layout: &Layout,
    state: &State,
    memory: &mut Memory,
) -> Vec<Action> {
    let color = theme::palette(ui);
    let mut actions = Vec::new();
    let stop = Rect::from_min_max(pos2(inside.right() - STOP_WIDTH, inside.top()), inside.max);
    let button = widgets::button(ui, stop, "Stop all", Look::Stop);
    let hover = Command::StopAll.hover(ui);
    if button.on_hover_text(hover).clicked() {
        actions.push(Action::StopAll);
    }
    let mut right = stop.left() - PAD;
    if let ConnectionState::Connected(RelayProtocol::V1 { .. }) = state.connection {
        let left =
            if layout.is_wide { layout.tabs.right() } else { inside.left() + MIN_NAME_WIDTH };
        let room = ((right - left) / STAT_WIDTH).max(0.0) as usize;
        let mut numbers = stats(color, state);
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

    let right = if layout.is_wide { layout.tabs.left() } else { right };
    let relay =
        Rect::from_min_max(inside.min - vec2(GRID, 0.0), pos2(right - GRID, inside.bottom()));
    let response = widgets::pressable(ui, relay, Id::unique("relay"), "Change relay", false);
    if response.hovered() || response.has_focus() {
        widgets::surface(ui, &response, relay, color.raised, color.line);
    }
    let hover = Command::ChangeRelay.hover(ui);
    if response.on_hover_text(hover).clicked() {
        memory.address = Some(AddressEditor::new(&state.relay));
    }
    let (lamp, status) = connection(color, state);
    widgets::lamp(ui, pos2(relay.left() + 2.0 * GRID, relay.center().y), lamp);
    let text = Rect::from_min_max(relay.min + vec2(4.0 * GRID, 0.0), relay.max - vec2(GRID, 0.0));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.54);
    let name = [(state.relay.as_str(), theme::bold(size::NAME), color.text)];
    widgets::line(ui, top, Align2::LEFT_CENTER, &name);
    let line = [(status.as_str(), theme::regular(size::SMALL), color.muted)];
    let label = widgets::line(ui, bottom, Align2::LEFT_CENTER, &line);
    widgets::announce(ui, &label);
    actions
}

/// The colour of the lamp, and the state of the connection in words.
fn connection(color: &Palette, state: &State) -> (Color32, String) {
    match &state.connection {
        ConnectionState::Connecting => (color.warn, "Connecting…".to_owned()),
        ConnectionState::Connected(RelayProtocol::V1 { .. }) => {
            (color.good, format!("Connected as {}", state.name))
        }
        ConnectionState::Connected(RelayProtocol::Tutorial) => {
            (color.warn, "Tutorial relay: one sound, played on arrival".to_owned())
        }
        ConnectionState::Lost { .. }
        | ConnectionState::InvalidAddress { .. }
        | ConnectionState::CodeRefused { .. } => (color.bad, "Not connected".to_owned()),
    }
}

/// The numbers, from right to left.
fn stats(color: &Palette, state: &State) -> [(&'static str, String, Color32); 2] {
    let clock = match state.sync_status.clock_error_micros() {
        Some(micros) => {
            let ink = if state.sync_status.is_loose() { color.warn } else { color.text };
            (format!("±{}", format::micros(micros.into())), ink)
        }
        None => ("–".to_owned(), color.muted),
    };
    let lead = match state.roster.lead_micros {
        0 => ("–".to_owned(), color.muted),
        micros => (format::micros(micros.into()), color.text),
    };
    [("LEAD", lead.0, lead.1), ("CLOCK", clock.0, clock.1)]
}

fn show_stat(ui: &mut Ui, rect: Rect, title: &str, value: &str, ink: Color32) {
    let (top, bottom) = rect.split_top_bottom_at_fraction(0.54);
    let runs = [(value, theme::bold(size::BODY), ink)];
    widgets::line(ui, top, Align2::RIGHT_CENTER, &runs);
    widgets::caption(ui, bottom, Align2::RIGHT_CENTER, title);
}
