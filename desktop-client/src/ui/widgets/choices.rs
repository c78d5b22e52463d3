//! Choices: a row of segments of which one is chosen, a menu, and a switch.

use egui::{
    Align2, Id, Popup, Rect, Response, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role,
    pos2, vec2,
};

use super::{describe, ink, pressable, strip, surface};
use crate::ui::theme::{self, GRID, size};

/// The least width of a menu.
const MIN_MENU: f32 = 26.0 * GRID;

/// Shows a row of segments in `rect`. Returns the index of the one that was pressed.
pub(in crate::ui) fn segments(
    ui: &mut Ui,
    rect: Rect,
    id: Id,
    texts: &[&str],
    chosen: Option<usize>,
) -> Option<usize> {
    let color = theme::palette(ui);
    let mut pressed = None;
    let line = Stroke::new(1.0, color.line);
    ui.painter().rect(rect, theme::ROUNDING, color.well, line, StrokeKind::Inside);
    let inside = rect.shrink(3.0);
    // Each as wide as its text, and a share of the rest.
    let weight = |text: &&str| text.chars().count() as f32 + 5.0;
    let unit = inside.width() / texts.iter().map(weight).sum::<f32>().max(1.0);
    let mut left = inside.left();
    for (index, text) in texts.iter().enumerate() {
        let width = unit * weight(text);
        let segment = Rect::from_min_max(
            pos2(left.round(), inside.top()),
            pos2((left + width).round(), inside.bottom()),
        );
        left += width;
        let is_chosen = chosen == Some(index);
        let response = ui.interact(segment, id.with(index), Sense::click());
        response.widget_info(|| {
            WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), is_chosen, *text)
        });
        let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
        if is_chosen || response.hovered() {
            let fill = if is_chosen { color.chosen } else { color.raised_hover };
            let edge = if is_chosen { color.accent } else { fill };
            ui.painter().rect(segment, 5.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
        }
        if response.has_focus() {
            let ring = Stroke::new(2.0, color.text);
            ui.painter().rect_stroke(segment, 5.0, ring, StrokeKind::Inside);
        }
        let font = if is_chosen { theme::bold(size::SMALL) } else { theme::regular(size::SMALL) };
        let tint = if is_chosen || response.hovered() { color.text } else { color.muted };
        let text_place = segment.shrink2(vec2(4.0, 0.0));
        ink(ui, text_place, Align2::CENTER_CENTER, &[(text, font, tint)]);
        if response.clicked() && !is_chosen {
            pressed = Some(index);
        }
    }
    pressed
}

/// Shows a switch in `rect`, at its right end. Returns whether it was pressed.
pub(in crate::ui) fn switch(ui: &mut Ui, rect: Rect, id: Id, name: &str, is_on: bool) -> bool {
    let color = theme::palette(ui);
    let track = Align2::RIGHT_CENTER.align_size_within_rect(vec2(46.0, 26.0), rect);
    let response = ui.interact(track, id, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, ui.is_enabled(), is_on, name));
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    let painter = ui.painter();
    let (fill, edge, knob) = if is_on {
        (color.accent, color.accent, color.on_accent)
    } else {
        (color.well, color.muted, color.muted)
    };
    painter.rect(track, 13.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    let x = if is_on { track.right() - 13.0 } else { track.left() + 13.0 };
    painter.circle_filled(pos2(x, track.center().y), 8.0, knob);
    if response.has_focus() {
        let ring = Stroke::new(2.0, color.text);
        painter.rect_stroke(track.expand(3.0), 16.0, ring, StrokeKind::Inside);
    }
    response.clicked()
}

/// A menu below a widget: one of `texts`. Returns the index of the one that was pressed.
pub(in crate::ui) fn menu(
    response: &Response,
    name: &str,
    texts: &[&str],
    chosen: Option<usize>,
) -> Option<usize> {
    let mut pressed = None;
    let width = response.rect.width().max(MIN_MENU);
    Popup::menu(response).accessible_name(name).width(width).gap(4.0).show(|ui| {
        ui.set_width(width - 2.0 * GRID);
        ui.spacing_mut().item_spacing.y = 0.0;
        for (index, text) in texts.iter().enumerate() {
            if option(ui, text, chosen == Some(index)) {
                pressed = Some(index);
            }
        }
    });
    pressed
}

fn option(ui: &mut Ui, name: &str, current: bool) -> bool {
    let color = theme::palette(ui);
    let rect = strip(ui, theme::SMALL_CONTROL);
    let id = ui.next_auto_id();
    ui.skip_ahead_auto_ids(1);
    let response = pressable(ui, rect, id, name, current);
    if response.hovered() || response.has_focus() {
        surface(ui, &response, rect, color.raised_hover, color.raised_hover);
    }
    if current {
        let dot = pos2(rect.left() + 1.5 * GRID, rect.center().y);
        ui.painter().circle_filled(dot, 4.0, color.accent);
    }
    let text = Rect::from_min_max(rect.min + vec2(3.0 * GRID, 0.0), rect.max - vec2(GRID, 0.0));
    let font = if current { theme::bold(size::BODY) } else { theme::regular(size::BODY) };
    ink(ui, text, Align2::LEFT_CENTER, &[(name, font, color.text)]);
    response.clicked()
}

/// A button in `rect` that opens something: a text, and a mark at its right end.
pub(in crate::ui) fn opener(ui: &mut Ui, rect: Rect, id: Id, name: &str, text: &str) -> Response {
    let color = theme::palette(ui);
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, ui.is_enabled(), name);
        info.current_text_value = Some(text.to_owned());
        info
    });
    let fill = if response.hovered() { color.raised_hover } else { color.raised };
    surface(ui, &response, rect, fill, color.line);
    let place =
        Rect::from_min_max(rect.min + vec2(1.5 * GRID, 0.0), rect.max - vec2(4.0 * GRID, 0.0));
    ink(ui, place, Align2::LEFT_CENTER, &[(text, theme::bold(size::SMALL), color.text)]);
    chevron(ui, pos2(rect.right() - 2.25 * GRID, rect.center().y));
    describe(ui, &response, text);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// The mark of what opens a menu.
pub(in crate::ui) fn chevron(ui: &Ui, center: egui::Pos2) {
    let color = theme::palette(ui);
    let points = vec![center + vec2(-5.0, -2.5), center + vec2(0.0, 2.5), center + vec2(5.0, -2.5)];
    ui.painter().line(points, Stroke::new(2.0, color.muted));
}
