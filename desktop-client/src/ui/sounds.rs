//! The sounds, as pads: a press on one chooses what the bang plays. Under them, what cannot be
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
const FAILURE_HEIGHT: f32 = 3.0 * GRID;
/// More than this many failures are only counted.
const FAILURES_SHOWN: usize = 3;
const CAPTION_HEIGHT: f32 = 2.0 * GRID;

fn columns(width: f32, sounds: usize) -> usize {
    let fitting = ((width + GRID) / (LEAST_PAD_WIDTH + GRID)).floor().max(1.0) as usize;
    fitting.min(sounds.max(1)).min(6)
}

fn failures(state: &State) -> impl Iterator<Item = (&str, &str)> {
    state.bank.iter().filter_map(|sound| match &sound.readiness {
        Readiness::Failed { reason } => Some((sound.info.name.as_str(), reason.as_str())),
        Readiness::Loading | Readiness::Ready => None,
    })
}

/// The height that all of it needs.
pub fn height(width: f32, state: &State) -> f32 {
    let rows = state.bank.len().div_ceil(columns(width, state.bank.len())).max(1);
    let failed = failures(state).count().min(FAILURES_SHOWN + 1);
    let mut height = CAPTION_HEIGHT + GRID + rows as f32 * (PAD_HEIGHT + GRID);
    if failed > 0 {
        height += failed as f32 * FAILURE_HEIGHT;
    }
    height
}

/// Shows the sounds.
pub fn show(ui: &mut Ui, state: &State) -> Vec<Action> {
    let mut actions = Vec::new();
    let width = ui.available_width();
    let area = ui.allocate_space(vec2(width, height(width, state))).1;
    let title = Rect::from_min_size(area.min, vec2(width, CAPTION_HEIGHT));
    parts::caption(ui, title, Align2::LEFT_CENTER, "SOUND");
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

    let columns = columns(width, state.bank.len());
    let each = vec2((width - GRID * (columns - 1) as f32) / columns as f32, PAD_HEIGHT);
    for (index, sound) in state.bank.iter().enumerate() {
        let place = vec2((index % columns) as f32, (index / columns) as f32);
        let min = pos2(area.left(), top) + place * (each + Vec2::splat(GRID));
        let chosen = state.selected.as_ref() == Some(&sound.info.name);
        if show_pad(ui, Rect::from_min_size(min, each), sound, chosen) {
            actions.push(Action::SelectSound(sound.info.name.clone()));
        }
    }
    let rows = state.bank.len().div_ceil(columns);
    show_failures(
        ui,
        Rect::from_min_max(pos2(area.left(), top + rows as f32 * (PAD_HEIGHT + GRID)), area.max),
        state,
    );
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
        Readiness::Failed { .. } => ("silent here".to_owned(), color::BAD),
    };
    let ink = if sound.readiness == Readiness::Ready { color::TEXT } else { color::MUTED };
    let text = rect.shrink2(vec2(1.5 * GRID, GRID));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.55);
    parts::line(ui, top, Align2::LEFT_CENTER, &[(name, theme::bold(size::NAME), ink)]);
    parts::line(ui, bottom, Align2::LEFT_CENTER, &[(&note, theme::regular(size::SMALL), note_ink)]);
    response.clicked()
}

fn show_failures(ui: &mut Ui, rect: Rect, state: &State) {
    let mut top = rect.top();
    let mut row = |ui: &mut Ui, text: &str| {
        let place = Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), FAILURE_HEIGHT));
        let runs = [(text, theme::regular(size::SMALL), color::BAD)];
        // What does not fit the line is read by holding the pointer over it.
        parts::line(ui, place, Align2::LEFT_CENTER, &runs).on_hover_text(text);
        top += FAILURE_HEIGHT;
    };
    for (name, reason) in failures(state).take(FAILURES_SHOWN) {
        row(ui, &format!("{name} cannot be heard here: {reason}"));
    }
    let hidden = failures(state).count().saturating_sub(FAILURES_SHOWN);
    if hidden > 0 {
        row(ui, &format!("and {hidden} more cannot be heard here"));
    }
}
