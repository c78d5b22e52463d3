//! Buttons: with a text, small ones among captions, and a cross. One that cannot be pressed says why.

use egui::{Align2, Id, Rect, Response, Stroke, Ui, UiBuilder, Vec2, pos2, vec2};

use super::{ink, pressable, surface};
use crate::ui::theme::{self, GRID, size};

/// The look of a button.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Look {
    /// One among others.
    Raised,
    /// The default one.
    Accent,
    /// One that stops sound.
    Stop,
    /// One that takes something away.
    Danger,
}

/// A button that fills `rect`, with centred text.
pub(in crate::ui) fn button(ui: &mut Ui, rect: Rect, text: &str, look: Look) -> Response {
    let color = theme::palette(ui);
    let response = pressable(ui, rect, ui.scope_id().with(("button", text)), text, false);
    let (text_color, border) = match look {
        Look::Raised => (color.text, color.line),
        Look::Accent => (color.on_accent, color.accent),
        Look::Stop | Look::Danger => (color.bad, theme::mix(color.line, color.bad, 0.45)),
    };
    let fill = match (look, response.hovered()) {
        (Look::Accent, false) => color.accent,
        (Look::Accent, true) => color.accent_light,
        (_, false) => color.raised,
        (_, true) => color.raised_hover,
    };
    let fill = if response.is_pointer_button_down_on() {
        theme::mix(fill, color.background, 0.35)
    } else {
        fill
    };
    surface(ui, &response, rect, fill, border);

    let icon = if look == Look::Stop { 12.0 } else { 0.0 };
    let gap = if icon > 0.0 { GRID } else { 0.0 };
    let layout = |size| ui.painter().layout_no_wrap(text.to_owned(), theme::bold(size), text_color);
    let mut galley = layout(size::BODY);
    if galley.size().x + icon + gap > rect.width() - 1.5 * GRID {
        galley = layout(size::SMALL);
    }
    let left = rect.center().x - (icon + gap + galley.size().x) / 2.0;
    if icon > 0.0 {
        let square =
            Rect::from_center_size(pos2(left + icon / 2.0, rect.center().y), Vec2::splat(icon));
        ui.painter().rect_filled(square, 2.0, text_color);
    }
    let top = rect.center().y - galley.size().y / 2.0;
    ui.painter().galley(pos2(left + icon + gap, top), galley, text_color);
    response
}

/// A button that fills `rect`, with what it does. Where there is an obstacle, it cannot be pressed, and says why.
/// Returns whether it was pressed.
pub(in crate::ui) fn act(
    ui: &mut Ui,
    rect: Rect,
    text: &str,
    look: Look,
    hover: &str,
    obstacle: Option<&str>,
) -> bool {
    let Some(obstacle) = obstacle else {
        return button(ui, rect, text, look).on_hover_text(hover).clicked();
    };
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(text));
    child.disable();
    let response = button(&mut child, rect, text, look);
    super::describe(ui, &response, obstacle);
    response.on_disabled_hover_text(obstacle);
    false
}

/// A small button among captions, with what it does.
pub(in crate::ui) fn text_button(ui: &mut Ui, rect: Rect, text: &str, hover: &str) -> bool {
    let color = theme::palette(ui);
    let response = pressable(ui, rect, ui.scope_id().with(("small", hover)), text, false);
    let fill = if response.hovered() { color.raised_hover } else { color.raised };
    surface(ui, &response, rect, fill, color.line);
    ink(ui, rect, Align2::CENTER_CENTER, &[(text, theme::bold(size::CAPTION), color.text)]);
    response.on_hover_text(hover).clicked()
}

/// A cross in `rect` that closes or removes something. Returns whether it was pressed.
pub(in crate::ui) fn cross(ui: &mut Ui, rect: Rect, id: Id, name: &str, hover: &str) -> bool {
    let color = theme::palette(ui);
    let response = pressable(ui, rect, id, name, false);
    if response.hovered() || response.has_focus() {
        surface(ui, &response, rect, color.raised_hover, color.line);
    }
    let (center, arm) = (rect.center().round(), 5.0);
    let stroke = Stroke::new(2.0, color.muted);
    for way in [vec2(arm, arm), vec2(arm, -arm)] {
        ui.painter().line_segment([center - way, center + way], stroke);
    }
    response.on_hover_text(hover).clicked()
}
