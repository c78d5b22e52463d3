//! The pads while sounds are edited: a press chooses a sound, and a drag moves it to another place.

use egui::{Align2, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role, vec2};

use super::{Pad, Source, look, sweep::Sweep};
use crate::{
    action::Action,
    state::State,
    ui::{
        bank,
        flash::Flash,
        hand,
        memory::Memory,
        theme::{self, GRID, size},
        widgets,
    },
};

/// Shows a pad.
pub(super) fn show(ui: &mut Ui, rect: Rect, pad: &Pad<'_>, state: &State, memory: &mut Memory) {
    let name = pad.source.name();
    let id = ui.scope_id().with(("edit pad", name));
    let response = ui.interact(rect, id, Sense::click_and_drag());
    let Source::Bank(sound) = pad.source else {
        // The tone is built in.
        let mut child = ui.new_child(egui::UiBuilder::new().max_rect(rect));
        child.disable();
        look::paint(
            &mut child,
            rect,
            pad,
            &response,
            (&Flash::default(), &Sweep::default()),
            state,
            memory,
        );
        return;
    };
    let hash = &sound.info.hash;
    let is_chosen = memory.bank.chosen.as_ref() == Some(hash);
    let label = format!("Edit {name}");
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_chosen, &label));
    if ui.is_rect_visible(rect) {
        let still = (&Flash::default(), &Sweep::default());
        look::paint(ui, rect, pad, &response, still, state, memory);
        paint_note(ui, rect, pad, state, is_chosen);
    }
    if response.clicked() || response.drag_started() {
        memory.bank.choose(hash);
    }
    if response.drag_started() {
        memory.bank.dragged = Some(hash.clone());
    }
    response.on_hover_cursor(egui::CursorIcon::Grab);
}

/// The edge of the edited pad; its gain, and whether it is the default.
fn paint_note(ui: &Ui, rect: Rect, pad: &Pad<'_>, state: &State, is_chosen: bool) {
    let color = theme::palette(ui);
    let Source::Bank(sound) = pad.source else { return };
    if is_chosen {
        let edge = Stroke::new(2.0, color.accent);
        ui.painter().rect_stroke(rect, theme::ROUNDING, edge, StrokeKind::Inside);
    }
    let mut notes = Vec::new();
    if sound.info.gain_db != 0.0 {
        notes.push(hand::decibels(sound.info.gain_db.into()));
    }
    if state.default_sound == sound.info.name {
        notes.push("default".to_owned());
    }
    let place =
        Rect::from_min_max(rect.left_bottom() - vec2(0.0, 3.5 * GRID), rect.max - vec2(10.0, 8.0));
    let text = notes.join(" · ");
    let runs = [(text.as_str(), theme::bold(size::CAPTION), color.accent)];
    widgets::ink(ui, place, Align2::RIGHT_BOTTOM, &runs);
}

/// Moves the dragged sound to the place where it is dropped.
pub(super) fn drag(
    ui: &mut Ui,
    places: &[(Rect, Pad<'_>)],
    state: &State,
    memory: &mut Memory,
) -> Option<Action> {
    let hash = memory.bank.dragged.clone()?;
    let (pointer, is_down) =
        ui.input(|input| (input.pointer.latest_pos(), input.pointer.any_down()));
    let sound = state.bank.iter().find(|sound| sound.info.hash == hash);
    let target = places.iter().find(|(rect, pad)| {
        let is_sound = matches!(pad.source, Source::Bank(_));
        is_sound && pointer.is_some_and(|pointer| rect.expand(GRID / 2.0).contains(pointer))
    });
    if !is_down {
        memory.bank.dragged = None;
        let (sound, (_, pad)) = (sound?, target?);
        let is_moved = !matches!(pad.source, Source::Bank(other) if other.info.hash == hash);
        return is_moved.then(|| bank::move_to(sound, pad.place));
    }
    let color = theme::palette(ui);
    if let Some((rect, _)) = target {
        let edge = Stroke::new(2.0, color.text);
        ui.painter().rect_stroke(rect.expand(2.0), theme::ROUNDING, edge, StrokeKind::Outside);
    }
    if let (Some(pointer), Some(sound)) = (pointer, sound) {
        let child = widgets::overlay(ui, "moving pad");
        let rect = Rect::from_center_size(pointer, vec2(16.0, 5.0) * GRID);
        let edge = Stroke::new(1.0, color.accent);
        child.painter().rect(rect, theme::ROUNDING, color.raised, edge, StrokeKind::Inside);
        let runs = [(sound.info.name.as_str(), theme::bold(size::BODY), color.text)];
        widgets::ink(&child, rect.shrink(GRID), Align2::CENTER_CENTER, &runs);
    }
    None
}
