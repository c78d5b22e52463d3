//! Who else is here, and how well each of them keeps time.

use downbeat_protocol::{ClientId, ClientKind, Report, RosterEntry};
use egui::{Align2, Color32, Rect, Stroke, Ui, pos2, vec2};

use super::{
    parts,
    theme::{self, GRID, color, size},
    words,
};
use crate::{
    event::Wire,
    standing::LOOSE_MICROS,
    state::{Connection, State},
};

const ROW: f32 = 6.0 * GRID;

/// Shows the room.
pub fn show(ui: &mut Ui, state: &State) {
    let (count, empty) = match state.connection {
        Connection::Connected(Wire::Downbeat { .. }) => {
            (format!("{} here", state.roster.total), "Waiting for the list")
        }
        Connection::Connected(Wire::Plain) => (String::new(), "A plain relay keeps no list"),
        _ => (String::new(), "Not connected"),
    };
    parts::panel(ui, "ROOM", &count, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        if state.roster.clients.is_empty() {
            let row = parts::strip(ui, 3.0 * GRID);
            let runs = [(empty, theme::regular(size::SMALL), color::MUTED)];
            parts::line(ui, row, Align2::LEFT_CENTER, &runs);
            return;
        }
        let own = match state.connection {
            Connection::Connected(Wire::Downbeat { id, .. }) => Some(id),
            _ => None,
        };
        for (index, client) in state.roster.clients.iter().enumerate() {
            let row = parts::strip(ui, ROW);
            if index > 0 {
                ui.painter().hline(row.x_range(), row.top(), Stroke::new(1.0, color::LINE));
            }
            show_client(ui, row, client, own);
        }
        let listed = u32::try_from(state.roster.clients.len()).unwrap_or(u32::MAX);
        let hidden = state.roster.total.saturating_sub(listed);
        if hidden > 0 {
            let row = parts::strip(ui, 4.0 * GRID);
            let text = format!("and {hidden} more");
            let runs = [(text.as_str(), theme::regular(size::SMALL), color::MUTED)];
            parts::line(ui, row, Align2::LEFT_CENTER, &runs);
        }
    });
}

fn show_client(ui: &mut Ui, row: Rect, client: &RosterEntry, own: Option<ClientId>) {
    let (lamp, standing) = standing(client);
    ui.painter().circle_filled(row.left_center() + vec2(4.0, 0.0), 4.0, lamp);
    let text = Rect::from_min_max(row.min + vec2(2.0 * GRID, 5.0), row.max - vec2(0.0, 4.0));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.54);
    let small = theme::regular(size::SMALL);

    let (latency, ink) = latency(client);
    let beside = parts::line(ui, top, Align2::RIGHT_CENTER, &[(&latency, small.clone(), ink)]);
    let name = Rect::from_min_max(top.min, pos2(beside.rect.left() - GRID, top.bottom()));
    let mut runs = vec![(client.name.as_str(), theme::bold(size::BODY), color::TEXT)];
    if own == Some(client.id) {
        runs.push(("  you", theme::bold(size::SMALL), color::ACCENT));
    }
    parts::line(ui, name, Align2::LEFT_CENTER, &runs);

    let mut runs = vec![(words::kind(client.kind), small.clone(), color::MUTED)];
    for (words, ink) in &standing {
        runs.push((" · ", small.clone(), color::MUTED));
        runs.push((words, small.clone(), *ink));
    }
    let line = parts::line(ui, bottom, Align2::LEFT_CENTER, &runs);
    if client.straggler {
        line.on_hover_text(
            "It needs more lead than the room waits for: it joins each sound in the middle.",
        );
    }
}

/// From the mix to the converter, in words.
fn latency(client: &RosterEntry) -> (String, Color32) {
    match &client.report {
        Some(Report { latency_micros: Some(micros), .. }) => {
            (words::micros(u64::from(*micros)), color::MUTED)
        }
        Some(_) if client.kind.is_player() => ("no output".to_owned(), color::WARN),
        Some(_) | None => (String::new(), color::MUTED),
    }
}

/// How a client keeps time: its lamp, and in words.
fn standing(client: &RosterEntry) -> (Color32, Vec<(String, Color32)>) {
    let Some(report) = &client.report else {
        let words = match client.kind {
            ClientKind::Tutorial => "plays on arrival",
            ClientKind::Remote => "makes no sound",
            _ => "no report yet",
        };
        return (color::MUTED, vec![(words.to_owned(), color::MUTED)]);
    };
    let mut words = Vec::new();
    if client.straggler {
        words.push(("joins midway".to_owned(), color::WARN));
    }
    match report.clock_error_micros {
        Some(micros) if micros > LOOSE_MICROS => {
            words.push((format!("only ±{}", words::micros(micros.into())), color::WARN));
        }
        Some(micros) if !client.straggler => {
            words.push((format!("within ±{}", words::micros(micros.into())), color::MUTED));
        }
        Some(_) => {}
        None => words.push(("finding the clock".to_owned(), color::MUTED)),
    }
    if report.late > 0 {
        words.push((format!("{} late", report.late), color::WARN));
    }
    let silent = report.latency_micros.is_none() && client.kind.is_player();
    let warned = silent || words.iter().any(|(_, ink)| *ink == color::WARN);
    (if warned { color::WARN } else { color::GOOD }, words)
}
