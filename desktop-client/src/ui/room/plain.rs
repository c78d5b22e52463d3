//! The list of clients, as everyone sees it: beside the pads, and as the view of those who do not run the room.

use downbeat_protocol::{ClientKind, Report, RosterEntry};
use egui::{Align2, Color32, Pos2, Rect, Stroke, Ui, pos2, vec2};

use super::{machine::Health, mark};
use crate::{
    event::RelayProtocol,
    state::{ConnectionState, State, Trouble},
    time::LocalTime,
    ui::{
        format,
        theme::{self, GRID, Palette, size},
        widgets,
    },
};

const ROW: f32 = 6.0 * GRID;
/// The list as a view is no wider than this.
const MAX_WIDTH: f32 = 100.0 * GRID;

/// Shows the list as a view.
pub(super) fn show_view(ui: &mut Ui, body: Rect, state: &State, now: LocalTime) {
    let width = body.width().min(MAX_WIDTH);
    let column = Rect::from_min_size(body.min, vec2(width, body.height()));
    widgets::scrolling(ui, "room", column, |ui| show_list(ui, state, now));
}

/// Shows the list.
pub(in crate::ui) fn show_list(ui: &mut Ui, state: &State, now: LocalTime) {
    let color = theme::palette(ui);
    let (count, empty) = summary(state);
    widgets::panel(ui, "ROOM", &count, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        if state.roster.clients.is_empty() {
            let row = widgets::strip(ui, 3.0 * GRID);
            let runs = [(empty, theme::regular(size::SMALL), color.muted)];
            widgets::line(ui, row, Align2::LEFT_CENTER, &runs);
            return;
        }
        for (index, client) in state.roster.clients.iter().enumerate() {
            let row = widgets::strip(ui, ROW);
            if !ui.is_rect_visible(row) {
                continue;
            }
            if index > 0 {
                ui.painter().hline(row.x_range(), row.top(), Stroke::new(1.0, color.line));
            }
            show_client(ui, row, client, state, now);
        }
        let listed = u32::try_from(state.roster.clients.len()).unwrap_or(u32::MAX);
        let hidden = state.roster.total.saturating_sub(listed);
        if hidden > 0 {
            let row = widgets::strip(ui, 4.0 * GRID);
            let text = format!("and {hidden} more");
            let runs = [(text.as_str(), theme::regular(size::SMALL), color.muted)];
            widgets::line(ui, row, Align2::LEFT_CENTER, &runs);
        }
    });
}

/// Paints the mark of a client: whether it may be heard apart from the others, or not at all, as far as this
/// machine knows.
pub(in crate::ui) fn show_mark(
    ui: &Ui,
    center: Pos2,
    state: &State,
    now: LocalTime,
    client: &RosterEntry,
) {
    let troubles = state.troubles_of_listed(client, now);
    let is_heard = troubles.first().is_some_and(Trouble::is_heard);
    mark::paint(ui, center, if is_heard { Health::Heard } else { Health::Well });
}

/// How many are here, and what to say while nobody is listed.
pub(super) fn summary(state: &State) -> (String, &'static str) {
    match state.connection {
        ConnectionState::Connected(RelayProtocol::V1 { .. }) => {
            (format!("{} here", state.roster.total), "Waiting for the list")
        }
        ConnectionState::Connected(RelayProtocol::Tutorial) => {
            (String::new(), "A tutorial relay has no list")
        }
        _ => (String::new(), "Not connected"),
    }
}

fn show_client(ui: &mut Ui, row: Rect, client: &RosterEntry, state: &State, now: LocalTime) {
    let color = theme::palette(ui);
    let report = state.report_of(client.id);
    let troubles = state.troubles_of_listed(client, now);
    let (health, status) = status(color, client, report, &troubles);
    mark::paint(ui, row.left_center() + vec2(6.0, 0.0), health);
    let text = Rect::from_min_max(row.min + vec2(2.5 * GRID, 5.0), row.max - vec2(0.0, 4.0));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.54);
    let small = theme::regular(size::SMALL);

    let (latency, ink) = latency(color, report, &troubles);
    let seat = client.seat.map(|seat| format!("seat {seat}"));
    let mut runs = Vec::new();
    if let Some(seat) = &seat {
        let space = if latency.is_empty() { "" } else { "  " };
        runs.push((seat.as_str(), small.clone(), color.muted));
        runs.push((space, small.clone(), color.muted));
    }
    runs.push((&latency, small.clone(), ink));
    let beside = widgets::line(ui, top, Align2::RIGHT_CENTER, &runs);
    let name = Rect::from_min_max(top.min, pos2(beside.rect.left() - GRID, top.bottom()));
    let mut runs = vec![(client.name.as_str(), theme::bold(size::BODY), color.text)];
    if state.own_id() == Some(client.id) {
        runs.push(("  you", theme::bold(size::SMALL), color.accent));
    }
    widgets::line(ui, name, Align2::LEFT_CENTER, &runs);

    let tags = client.tags.join(", ");
    let half = Rect::from_min_max(pos2(bottom.center().x, bottom.top()), bottom.max);
    let runs = [(tags.as_str(), small.clone(), color.muted)];
    let beside = widgets::ink(ui, half, Align2::RIGHT_CENTER, &runs);
    let bottom = Rect::from_min_max(bottom.min, pos2(beside.left() - GRID, bottom.bottom()));
    let mut runs = vec![(format::kind(client.kind), small.clone(), color.muted)];
    for (text, ink) in &status {
        runs.push((" · ", small.clone(), color.muted));
        runs.push((text, small.clone(), *ink));
    }
    let line = widgets::line(ui, bottom, Align2::LEFT_CENTER, &runs);
    if let Some(worst) = troubles.first() {
        line.on_hover_text(worst.advice());
    }
}

/// The output latency, in words.
fn latency(color: &Palette, report: Option<&Report>, troubles: &[Trouble]) -> (String, Color32) {
    if troubles.contains(&Trouble::NoOutput) {
        return (Trouble::NoOutput.text(), color.warn);
    }
    let micros = report.and_then(|report| report.latency_micros);
    let text = micros.map_or_else(String::new, |micros| format::micros(micros.into()));
    (text, color.muted)
}

/// The synchrony of a client: how it is, and in words.
fn status(
    color: &Palette,
    client: &RosterEntry,
    report: Option<&Report>,
    troubles: &[Trouble],
) -> (Health, Vec<(String, Color32)>) {
    // That it has no output stands in the place of its latency.
    let said = troubles.iter().filter(|trouble| **trouble != Trouble::NoOutput);
    let mut words: Vec<_> = said.map(|trouble| (trouble.text(), color.warn)).collect();
    let health = match (troubles.first(), report) {
        (Some(worst), _) => {
            if worst.is_heard() {
                Health::Heard
            } else {
                Health::Noted
            }
        }
        (None, Some(_)) => Health::Well,
        (None, None) => {
            // Of other machines, a client that does not watch the room knows no more.
            let (text, health) = match client.kind {
                ClientKind::Tutorial => ("plays on arrival", Health::Silent),
                ClientKind::Remote => ("makes no sound", Health::Silent),
                _ if client.plays => ("plays", Health::Well),
                _ => ("does not play yet", Health::Silent),
            };
            words.push((text.to_owned(), color.muted));
            health
        }
    };
    let is_apart = |trouble: &Trouble| {
        matches!(trouble, Trouble::NoClock | Trouble::Loose { .. } | Trouble::Straggler { .. })
    };
    let micros = report.and_then(|report| report.clock_error_micros);
    if let Some(micros) = micros.filter(|_| !troubles.iter().any(is_apart)) {
        words.push((format!("within ±{}", format::micros(micros.into())), color.muted));
    }
    (health, words)
}
