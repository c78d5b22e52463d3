//! The sounds, as pads: a press on one chooses what the bang plays. Above them, what cannot be
//! heard on this machine, and why.

use egui::{Align2, Rect, Ui, Vec2, pos2, vec2};

use super::{
    parts,
    theme::{self, GRID, PAD, color, size},
    words,
};
use crate::{
    action::Action,
    state::{BankSound, Readiness, State},
};

const PAD_HEIGHT: f32 = 7.0 * GRID;
const LEAST_PAD_WIDTH: f32 = 15.0 * GRID;
const CAPTION_HEIGHT: f32 = 2.0 * GRID;
/// A bank of few sounds gets no wider pads than this share of the row.
const LEAST_COLUMNS: usize = 3;

/// The height of so many rows of pads.
pub fn height(rows: usize) -> f32 {
    CAPTION_HEIGHT + rows as f32 * (GRID + PAD_HEIGHT)
}

/// So few columns that the sounds fit in `rows`, so that the pads are large; as many as fit across
/// when they do not.
fn columns(width: f32, sounds: usize, rows: usize) -> usize {
    let fitting = ((width + GRID) / (LEAST_PAD_WIDTH + GRID)).floor().max(1.0) as usize;
    sounds.div_ceil(rows.max(1)).max(LEAST_COLUMNS).min(fitting)
}

/// Shows the sounds, in `rows` rows if they fit.
pub fn show(ui: &mut Ui, state: &State, rows: usize) -> Vec<Action> {
    let mut actions = Vec::new();
    let width = ui.available_width();
    let columns = columns(width, state.bank.len(), rows);
    let needed = height(state.bank.len().div_ceil(columns).max(1));
    let area = ui.allocate_space(vec2(width, needed)).1;
    let title = Rect::from_min_size(area.min, vec2(width, CAPTION_HEIGHT));
    let caption = parts::caption(ui, title, Align2::LEFT_CENTER, "SOUND");
    let rest = Rect::from_min_max(pos2(caption.rect.right() + PAD, title.top()), title.max);
    show_failures(ui, rest, state);
    let top = title.bottom() + GRID;

    if state.bank.is_empty() {
        let slot = Rect::from_min_size(pos2(area.left(), top), vec2(width, PAD_HEIGHT));
        ui.painter().rect_filled(slot, theme::ROUNDING, color::PANEL);
        let text = if state.can_bang() {
            "The relay's bank is empty"
        } else {
            "The sounds come with the relay"
        };
        let runs = [(text, theme::regular(size::BODY), color::MUTED)];
        parts::line(ui, slot.shrink2(vec2(PAD, 0.0)), Align2::CENTER_CENTER, &runs);
        return actions;
    }

    let each = vec2((width - GRID * (columns - 1) as f32) / columns as f32, PAD_HEIGHT);
    for (index, sound) in state.bank.iter().enumerate() {
        let place = vec2((index % columns) as f32, (index / columns) as f32);
        let min = pos2(area.left(), top) + place * (each + Vec2::splat(GRID));
        let chosen = state.selected.as_ref() == Some(&sound.info.name);
        if show_pad(ui, Rect::from_min_size(min, each), sound, chosen) {
            actions.push(Action::SelectSound(sound.info.name.clone()));
        }
    }
    actions
}

fn show_pad(ui: &mut Ui, rect: Rect, sound: &BankSound, chosen: bool) -> bool {
    let name = &sound.info.name;
    let id = ui.scope_id().with(("sound", &sound.info.hash, name));
    let response = parts::key(ui, rect, id, &format!("Sound {name}"), chosen);
    let (fill, border) = match (chosen, response.hovered()) {
        (true, _) => (color::CHOSEN, color::ACCENT),
        (false, true) => (color::RAISED_HOVER, color::LINE),
        (false, false) => (color::RAISED, color::RAISED),
    };
    parts::surface(ui, &response, rect, fill, border);

    let length = words::micros(sound.info.duration_micros(1.0));
    let (note, note_ink) = match &sound.readiness {
        Readiness::Ready => (length, color::MUTED),
        Readiness::Loading => ("loading…".to_owned(), color::MUTED),
        Readiness::OnFirstUse => ("loads on first use".to_owned(), color::MUTED),
        Readiness::Failed { .. } => ("silent here".to_owned(), color::BAD),
    };
    let ink = if sound.readiness == Readiness::Ready { color::TEXT } else { color::MUTED };
    let text = rect.shrink2(vec2(1.5 * GRID, GRID));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.55);
    parts::ink(ui, top, Align2::LEFT_CENTER, &[(name, theme::bold(size::NAME), ink)]);
    parts::ink(ui, bottom, Align2::LEFT_CENTER, &[(&note, theme::regular(size::SMALL), note_ink)]);
    parts::describe(ui, &response, &note);
    let clicked = response.clicked();
    if let Readiness::Failed { reason } = &sound.readiness {
        response.on_hover_text(format!("It cannot be heard on this machine: {reason}"));
    }
    clicked
}

/// What cannot be heard on this machine, beside the caption; the pads themselves say the rest.
fn show_failures(ui: &mut Ui, rect: Rect, state: &State) {
    let failed: Vec<String> = state
        .bank
        .iter()
        .filter_map(|sound| match &sound.readiness {
            Readiness::Failed { reason } => Some(format!("{}: {reason}", sound.info.name)),
            Readiness::Loading | Readiness::Ready | Readiness::OnFirstUse => None,
        })
        .collect();
    let text = match failed.as_slice() {
        [] => return,
        [only] => only.clone(),
        several => format!("{} sounds cannot be heard here", several.len()),
    };
    let runs = [(text.as_str(), theme::regular(size::SMALL), color::BAD)];
    parts::line(ui, rect, Align2::RIGHT_CENTER, &runs).on_hover_text(failed.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_are_as_large_as_the_bank_allows() {
        assert_eq!(columns(420.0, 6, 2), 3);
        assert_eq!(columns(1200.0, 6, 2), 3);
        assert_eq!(columns(1200.0, 12, 2), 6);
        assert_eq!(columns(1200.0, 1, 2), 3);
        assert_eq!(columns(420.0, 40, 2), 3, "more than fit are scrolled to");
        assert_eq!(columns(10.0, 1, 2), 1);
    }
}
