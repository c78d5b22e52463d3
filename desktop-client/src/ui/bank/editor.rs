//! The strip below the pads while the bank is edited: name, gain, loop, default, order and removal of one sound.

use downbeat_protocol::{EditSoundsRequest, clean_name};
use egui::{Align2, Id, Rect, Stroke, Ui, UiBuilder, pos2, vec2};

use super::memory::Kept;
use super::{chosen, edit, move_to, remove};
use crate::{
    action::Action,
    state::{BankSound, State},
    time::LocalTime,
    ui::{
        command::Command,
        hand,
        theme::{self, GRID, size},
        widgets::{self, Adjustable, Field, Look, Mapping},
    },
};

const PADDING: f32 = 1.5 * GRID;
const ROW: f32 = 4.5 * GRID;
const NAME: f32 = 26.0 * GRID;
const GAIN: f32 = 13.0 * GRID;

/// Shows the strip in `rect`.
pub(in crate::ui) fn show(
    ui: &mut Ui,
    rect: Rect,
    state: &State,
    now: LocalTime,
    memory: &mut Kept<'_>,
) -> Vec<Action> {
    let color = theme::palette(ui);
    ui.painter().add(widgets::sheet(color, rect));
    let inside = rect.shrink(PADDING);
    let caption = Rect::from_min_size(inside.min, vec2(inside.width(), 2.0 * GRID));
    let title = widgets::caption(ui, caption, Align2::LEFT_CENTER, "EDIT SOUNDS");
    let beside = Rect::from_min_max(pos2(title.rect.right() + GRID, caption.top()), caption.max);
    let Some((place, sound)) = chosen(state, memory.bank) else {
        let text = format!(
            "Press a pad to change its sound, or drag it to another place. Keys still play. {} ends this.",
            Command::EditSounds.keys(ui)
        );
        let below = Rect::from_min_max(pos2(inside.left(), caption.bottom() + GRID), inside.max);
        let mut child = ui.new_child(UiBuilder::new().max_rect(below));
        widgets::prose(&mut child, &text, theme::regular(size::SMALL), color.muted);
        return Vec::new();
    };
    let (text, ink) = match &memory.bank.complaint {
        Some(complaint) => (complaint.as_str(), color.bad),
        None => (sound.info.name.as_str(), color.muted),
    };
    let runs = [(text, theme::regular(size::SMALL), ink)];
    let label = widgets::line(ui, beside, Align2::LEFT_CENTER, &runs);
    widgets::announce(ui, &label);

    let first =
        Rect::from_min_size(pos2(inside.left(), caption.bottom() + 4.0), vec2(inside.width(), ROW));
    let second = first.translate(vec2(0.0, ROW + GRID));
    let (name, gain) = first.split_left_right_at_x(first.left() + NAME.min(first.width() * 0.4));
    let mut actions = Vec::new();
    actions.extend(show_name(ui, name, sound, state, memory));
    let gain = Rect::from_min_max(gain.min + vec2(2.0 * GRID, 0.0), gain.max);
    actions.extend(show_gain(ui, gain, sound, memory));
    actions.extend(show_row(ui, second, (place, sound), state, now, memory));
    actions
}

fn show_name(
    ui: &mut Ui,
    rect: Rect,
    sound: &BankSound,
    state: &State,
    memory: &mut Kept<'_>,
) -> Option<Action> {
    let kept = &sound.info.name;
    let field = Field { name: "Name of the sound", kept, hint: "name", is_centered: false };
    let id = Id::unique(("sound name", &sound.info.hash));
    if std::mem::take(&mut memory.bank.focuses_name) {
        ui.memory_mut(|memory| memory.request_focus(id));
    }
    let typed = widgets::field(ui, rect, id, memory.drafts, &field)?;
    let other = |name: &String| {
        state.bank.iter().any(|one| one.info.name == *name && one.info.hash != sound.info.hash)
    };
    let (name, complaint) = match clean_name(&typed) {
        None => (None, Some("A name has 1 to 64 characters.".to_owned())),
        Some(name) if other(&name) => (None, Some(format!("Another sound is called {name}."))),
        Some(name) => (Some(name), None),
    };
    memory.bank.complaint = complaint;
    let name = name?;
    Some(edit(&sound.info.hash, |edit| edit.name = Some(name)))
}

fn show_gain(ui: &mut Ui, rect: Rect, sound: &BankSound, memory: &mut Kept<'_>) -> Option<Action> {
    let color = theme::palette(ui);
    let kept = f64::from(sound.info.gain_db);
    let value = memory.bank.gain_db.unwrap_or(kept);
    let (label, fader) = rect.split_left_right_at_x(rect.left() + GAIN);
    let text = hand::decibels(value);
    let runs = [
        ("Gain  ", theme::regular(size::SMALL), color.muted),
        (text.as_str(), theme::bold(size::SMALL), color.text),
    ];
    widgets::ink(ui, label, Align2::LEFT_CENTER, &runs);
    let mut child = ui.new_child(UiBuilder::new().max_rect(fader).id_salt("sound gain"));
    let number = Adjustable {
        name: "Gain of the sound",
        value,
        mapping: Mapping::Linear { min: -24.0, max: 12.0 },
        step: 1.0 / 36.0,
        reset: Some(0.0),
    };
    let id = Id::unique(("sound gain", &sound.info.hash));
    let moved = widgets::fader(&mut child, id, &number, ROW);
    if let Some(gain) = moved.value {
        memory.bank.gain_db = Some((gain * 2.0).round() / 2.0);
    }
    if moved.is_held {
        return None;
    }
    let gain = memory.bank.gain_db.take()?;
    ((gain - kept).abs() > 1e-6)
        .then(|| edit(&sound.info.hash, |edit| edit.gain_db = Some(gain as f32)))
}

/// The loop, the default, the order, and the removal.
fn show_row(
    ui: &mut Ui,
    row: Rect,
    (place, sound): (usize, &BankSound),
    state: &State,
    now: LocalTime,
    memory: &mut Kept<'_>,
) -> Option<Action> {
    let color = theme::palette(ui);
    let hash = &sound.info.hash;
    let mut left = row.left();
    let mut next = |width: f32| {
        let rect = Rect::from_min_size(pos2(left, row.top()), vec2(width, row.height()));
        left += width + GRID;
        rect
    };
    let looped = next(11.5 * GRID);
    let runs = [("Loop", theme::regular(size::SMALL), color.muted)];
    widgets::ink(ui, looped, Align2::LEFT_CENTER, &runs);
    let is_looped = sound.info.looped.is_some();
    if widgets::switch(ui, looped, Id::unique("sound loop"), "Loop the sound", is_looped) {
        return Some(edit(hash, |edit| edit.looped = Some(!is_looped)));
    }
    let is_default = state.default_sound == sound.info.name;
    let obstacle = is_default.then_some("It is the default already");
    let hover = "What a bang plays that names no sound, and what tutorial clients play";
    let text = if is_default { "Is default" } else { "Make default" };
    if widgets::act(ui, next(13.0 * GRID), text, Look::Raised, hover, obstacle) {
        let default_sound = Some(hash.clone());
        let request = EditSoundsRequest { default_sound, ..EditSoundsRequest::default() };
        return Some(Action::EditSounds(request));
    }
    let last = state.bank.len().saturating_sub(1);
    if arrow(ui, next(5.0 * GRID), Command::MoveEarlier, place > 0) {
        return Some(move_to(sound, place - 1));
    }
    if arrow(ui, next(5.0 * GRID), Command::MoveLater, place < last) {
        return Some(move_to(sound, place + 1));
    }
    let end = Rect::from_min_max(pos2(row.right() - 11.0 * GRID, row.top()), row.max);
    let hover = Command::Remove.hover(ui);
    if widgets::act(ui, end, "Remove", Look::Danger, &hover, None) {
        return Some(remove(sound, now, memory.bank));
    }
    None
}

/// A button with an arrow to the left or to the right.
fn arrow(ui: &mut Ui, rect: Rect, command: Command, is_possible: bool) -> bool {
    let color = theme::palette(ui);
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(command.text()));
    if !is_possible {
        child.disable();
    }
    let id = Id::unique(command.text());
    let response = widgets::pressable(&mut child, rect, id, command.text(), false);
    let fill = if response.hovered() { color.raised_hover } else { color.raised };
    widgets::surface(&child, &response, rect, fill, color.line);
    let way = if command == Command::MoveEarlier { -1.0 } else { 1.0 };
    let points = [vec2(-3.0 * way, -6.0), vec2(3.0 * way, 0.0), vec2(-3.0 * way, 6.0)];
    let points = points.map(|point| rect.center() + point).to_vec();
    child.painter().line(points, Stroke::new(2.0, color.text));
    let hover = command.hover(ui);
    response.on_hover_text(hover).clicked()
}
