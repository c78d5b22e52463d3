//! The room: its clients, and the synchrony of each. A list beside the pads, and a view with seats and tags.

mod table;

use downbeat_protocol::{ClientId, ClientKind, Report, RosterEntry};
use egui::{Align2, Color32, Rect, Stroke, Ui, pos2, vec2};

use super::{
    format,
    theme::{self, GRID, Palette, size},
    widgets,
};
use crate::{
    event::RelayProtocol,
    state::{ConnectionState, State},
    sync_status::LOOSE_MICROS,
};

const ROW: f32 = 6.0 * GRID;

pub(super) use self::table::show;

/// Shows the list.
pub(super) fn show_list(ui: &mut Ui, state: &State) {
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
        let own = state.own_id();
        for (index, client) in state.roster.clients.iter().enumerate() {
            let row = widgets::strip(ui, ROW);
            if !ui.is_rect_visible(row) {
                continue;
            }
            if index > 0 {
                ui.painter().hline(row.x_range(), row.top(), Stroke::new(1.0, color.line));
            }
            show_client(ui, row, client, state.report_of(client.id), own);
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

/// How many are here, and what to say while nobody is listed.
fn summary(state: &State) -> (String, &'static str) {
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

fn show_client(
    ui: &mut Ui,
    row: Rect,
    client: &RosterEntry,
    report: Option<&Report>,
    own: Option<ClientId>,
) {
    let color = theme::palette(ui);
    let (lamp, status) = status(color, client, report);
    ui.painter().circle_filled(row.left_center() + vec2(4.0, 0.0), 4.0, lamp);
    let text = Rect::from_min_max(row.min + vec2(2.0 * GRID, 5.0), row.max - vec2(0.0, 4.0));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.54);
    let small = theme::regular(size::SMALL);

    let (latency, ink) = latency(color, client, report);
    let beside = widgets::line(ui, top, Align2::RIGHT_CENTER, &[(&latency, small.clone(), ink)]);
    let name = Rect::from_min_max(top.min, pos2(beside.rect.left() - GRID, top.bottom()));
    let mut runs = vec![(client.name.as_str(), theme::bold(size::BODY), color.text)];
    if own == Some(client.id) {
        runs.push(("  you", theme::bold(size::SMALL), color.accent));
    }
    widgets::line(ui, name, Align2::LEFT_CENTER, &runs);

    let mut runs = vec![(format::kind(client.kind), small.clone(), color.muted)];
    for (text, ink) in &status {
        runs.push((" · ", small.clone(), color.muted));
        runs.push((text, small.clone(), *ink));
    }
    let line = widgets::line(ui, bottom, Align2::LEFT_CENTER, &runs);
    if client.straggler {
        line.on_hover_text("Needs more lead than the limit, so sounds start late there.");
    }
}

/// The output latency, in words.
fn latency(color: &Palette, client: &RosterEntry, report: Option<&Report>) -> (String, Color32) {
    match report {
        Some(Report { latency_micros: Some(micros), .. }) => {
            (format::micros(u64::from(*micros)), color.muted)
        }
        Some(_) if client.kind.is_player() => ("no output".to_owned(), color.warn),
        Some(_) | None => (String::new(), color.muted),
    }
}

/// The synchrony of a client: the colour of its lamp, and in words.
fn status(
    color: &Palette,
    client: &RosterEntry,
    report: Option<&Report>,
) -> (Color32, Vec<(String, Color32)>) {
    let Some(report) = report else {
        // Of other machines, a client that does not watch the room knows no more.
        let (text, ink) = match client.kind {
            ClientKind::Tutorial => ("plays on arrival", color.muted),
            ClientKind::Remote => ("makes no sound", color.muted),
            _ if client.straggler => ("starts late", color.warn),
            _ if client.plays => ("plays", color.muted),
            _ => ("does not play yet", color.muted),
        };
        let is_well = client.plays && !client.straggler;
        return (if is_well { color.good } else { ink }, vec![(text.to_owned(), ink)]);
    };
    let mut words = Vec::new();
    if client.straggler {
        words.push(("starts late".to_owned(), color.warn));
    }
    match report.clock_error_micros {
        Some(micros) if micros > LOOSE_MICROS => {
            words.push((format!("only ±{}", format::micros(micros.into())), color.warn));
        }
        Some(micros) if !client.straggler => {
            words.push((format!("within ±{}", format::micros(micros.into())), color.muted));
        }
        Some(_) => {}
        None => words.push(("syncing".to_owned(), color.muted)),
    }
    if report.late > 0 {
        words.push((format!("{} late", report.late), color.warn));
    }
    let silent = report.latency_micros.is_none() && client.kind.is_player();
    let warned = silent || words.iter().any(|(_, ink)| *ink == color.warn);
    (if warned { color.warn } else { color.good }, words)
}
