//! Who else is here, and how well each of them keeps time.

use downbeat_protocol::{ClientId, ClientKind, RosterEntry};
use egui::{Align2, Color32, Rect, Stroke, Ui, vec2};

use super::{
    parts,
    theme::{self, GRID, color, size},
    words,
};
use crate::{
    event::Wire,
    state::{Connection, State},
};

const ROW: f32 = 6.0 * GRID;
/// Above this, two machines can be heard apart.
const LOOSE_MICROS: u32 = 1000;

/// Shows the room.
pub fn show(ui: &mut Ui, state: &State) {
    let (count, empty) = match state.connection {
        Connection::Connected(Wire::Downbeat { .. }) => {
            (format!("{} here", state.roster.total), "Waiting for the list")
        }
        Connection::Connected(Wire::Plain) => {
            (String::new(), "A plain relay does not say who is here")
        }
        _ => (String::new(), "Nobody: not connected"),
    };
    parts::panel(ui, "ROOM", &count, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.add_space(GRID);
        if state.roster.clients.is_empty() {
            let row = parts::strip(ui, 3.0 * GRID);
            let runs = [(empty, theme::regular(size::SMALL), color::MUTED)];
            parts::line(ui, row, Align2::LEFT_CENTER, &runs);
            return;
        }
        let own = match state.connection {
            Connection::Connected(Wire::Downbeat { id }) => Some(id),
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

    let mut kind = words::kind(client.kind).to_owned();
    if own == Some(client.id) {
        kind.push_str(" · you");
    }
    let font = theme::regular(size::SMALL);
    let beside = parts::line(ui, top, Align2::RIGHT_CENTER, &[(&kind, font.clone(), color::MUTED)]);
    let name = Rect::from_min_max(top.min, egui::pos2(beside.rect.left() - GRID, top.bottom()));
    parts::line(
        ui,
        name,
        Align2::LEFT_CENTER,
        &[(&client.name, theme::bold(size::BODY), color::TEXT)],
    );
    let runs: Vec<_> =
        standing.iter().map(|(words, ink)| (words.as_str(), font.clone(), *ink)).collect();
    parts::line(ui, bottom, Align2::LEFT_CENTER, &runs);
}

/// How a client is doing: its lamp, and in words, the worst first.
fn standing(client: &RosterEntry) -> (Color32, Vec<(String, Color32)>) {
    let Some(report) = &client.report else {
        let words = match client.kind {
            ClientKind::Plain => "plays on arrival",
            ClientKind::Remote => "makes no sound",
            _ => "no report yet",
        };
        return (color::MUTED, vec![(words.to_owned(), color::MUTED)]);
    };
    let mut lamp = color::GOOD;
    let mut parts: Vec<(String, Color32)> = Vec::new();
    let mut warn = |parts: &mut Vec<(String, Color32)>, words: String| {
        lamp = color::WARN;
        parts.push((words, color::WARN));
    };
    if client.straggler {
        warn(&mut parts, "too slow: joins in the middle".to_owned());
    }
    match report.clock_error_micros {
        Some(micros) if micros > LOOSE_MICROS => {
            warn(&mut parts, format!("clock only ±{}", words::micros(micros.into())));
        }
        Some(micros) => {
            parts.push((format!("within ±{}", words::micros(micros.into())), color::MUTED));
        }
        None => parts.push(("finding the clock".to_owned(), color::MUTED)),
    }
    if report.late > 0 {
        warn(&mut parts, format!("{} late", report.late));
    }
    match report.latency_micros {
        Some(micros) => {
            parts.push((format!("{} out", words::micros(micros.into())), color::MUTED));
        }
        None if client.kind.is_player() => warn(&mut parts, "no output".to_owned()),
        None => {}
    }
    let between = (parts.len() > 1).then_some(()).is_some();
    let mut spaced = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        if between && index > 0 {
            spaced.push((" · ".to_owned(), color::MUTED));
        }
        spaced.push(part);
    }
    (lamp, spaced)
}
