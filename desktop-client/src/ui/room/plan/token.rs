//! A machine on the plan: its seat, its name, and how it is, by shape and colour.

use egui::{
    Align2, Color32, Pos2, Rect, Response, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    accesskit::Role, vec2,
};

use super::token_id;
use crate::ui::{
    room::{
        machine::{Health, Machine},
        mark,
    },
    theme::{self, GRID, Palette, size},
    widgets,
};

/// What a token takes in the tray, with its name.
pub(super) const TRAY: Vec2 = Vec2::new(11.0 * GRID, 8.5 * GRID);

/// The width of a name.
const NAME: f32 = 10.5 * GRID;

/// How a token looks.
#[allow(clippy::struct_excessive_bools, reason = "each is a way to stand out")]
pub(super) struct Look {
    pub(super) is_selected: bool,
    pub(super) is_own: bool,
    /// Whether something else is searched for.
    pub(super) is_dimmed: bool,
    pub(super) is_dragged: bool,
    pub(super) has_name: bool,
}

/// Shows a token.
pub(super) fn show(
    ui: &mut Ui,
    middle: Pos2,
    size: Vec2,
    machine: &Machine<'_>,
    look: &Look,
) -> Response {
    let rect = Rect::from_center_size(middle.round(), size);
    let response = ui.interact(rect, token_id(machine.key), Sense::click_and_drag());
    let name = format!("Place of {}", machine.name);
    response
        .widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, look.is_selected, &name));
    let seat = machine.seat.map_or_else(String::new, |seat| format!("seat {seat}, "));
    widgets::describe(ui, &response, &format!("{seat}{}", machine.status()));
    let is_in_tray = machine.place.is_none();
    if !(look.is_dragged && is_in_tray) {
        let is_lit = response.hovered() || response.has_focus();
        paint(ui, rect, machine, look, is_lit, response.has_focus());
    }
    let text = match machine.advice() {
        Some(advice) => format!("{}: {}\n{advice}", machine.name, machine.status()),
        None => format!("{}: {}", machine.name, machine.status()),
    };
    let cursor = if look.is_dragged { egui::CursorIcon::Grabbing } else { egui::CursorIcon::Grab };
    let response = response.on_hover_cursor(cursor);
    if look.is_dragged { response } else { response.on_hover_text(text) }
}

/// Paints a token that is dragged out of the tray, over everything else.
pub(super) fn paint_moving(
    ui: &mut Ui,
    middle: Pos2,
    size: Vec2,
    machine: &Machine<'_>,
    look: &Look,
) {
    let rect = Rect::from_center_size(middle.round(), size);
    let child = widgets::overlay(ui, "moving token");
    paint(&child, rect, machine, look, true, false);
}

fn paint(ui: &Ui, rect: Rect, machine: &Machine<'_>, look: &Look, is_lit: bool, has_focus: bool) {
    let color = theme::palette(ui);
    let health = machine.health();
    let (fill, edge, ink) = colors(color, health, look, is_lit);
    let painter = ui.painter();
    let rounding = 8.0;
    painter.rect(rect, rounding, fill, Stroke::new(1.5, edge), StrokeKind::Inside);
    if matches!(health, Health::Missing | Health::Away) {
        // Crossed out: it belongs here, and is not here.
        let dashes = Shape::dashed_line(
            &[rect.left_bottom() + vec2(7.0, -5.0), rect.right_top() + vec2(-7.0, 5.0)],
            Stroke::new(1.0, edge),
            4.0,
            4.0,
        );
        painter.extend(dashes);
    }
    if has_focus {
        let ring = Stroke::new(2.0, color.text);
        painter.rect_stroke(rect.expand(3.0), rounding + 3.0, ring, StrokeKind::Inside);
    }
    let seat = machine.seat.map_or_else(|| "–".to_owned(), |seat| seat.to_string());
    let font = theme::bold(if rect.height() > 28.0 { size::BODY } else { size::SMALL });
    widgets::ink(ui, rect.shrink(2.0), Align2::CENTER_CENTER, &[(&seat, font, ink)]);
    if matches!(health, Health::Heard | Health::Noted | Health::Missing) {
        let corner = rect.right_top() + vec2(-1.0, 1.0);
        painter.circle_filled(corner, 9.0, color.panel);
        mark::paint(ui, corner, health);
    }
    if look.has_name || is_lit {
        let below = Rect::from_min_size(
            rect.center_bottom() + vec2(-NAME / 2.0, 1.0),
            vec2(NAME, 2.25 * GRID),
        );
        let ink = match (look.is_dimmed, look.is_own) {
            (true, _) => theme::mix(color.panel, color.muted, 0.5),
            (false, true) => color.accent,
            (false, false) => color.text,
        };
        let runs = [(machine.name, theme::regular(size::CAPTION), ink)];
        widgets::ink(ui, below, Align2::CENTER_CENTER, &runs);
    }
}

/// Its ground, its edge, and its text.
fn colors(
    color: &Palette,
    health: Health,
    look: &Look,
    is_lit: bool,
) -> (Color32, Color32, Color32) {
    let base = if is_lit { color.raised_hover } else { color.raised };
    let (fill, edge) = match health {
        Health::Heard => (theme::mix(base, color.warn, 0.18), color.warn),
        Health::Noted => (base, theme::mix(color.line, color.warn, 0.7)),
        Health::Well => (base, theme::mix(color.line, color.good, 0.45)),
        Health::Silent => (base, color.line),
        Health::Missing => (color.panel, theme::mix(color.line, color.warn, 0.7)),
        Health::Away => (color.panel, color.line),
    };
    let (fill, edge) = if look.is_selected { (color.chosen, color.accent) } else { (fill, edge) };
    let ink =
        if matches!(health, Health::Missing | Health::Away) { color.muted } else { color.text };
    if look.is_dimmed && !look.is_selected {
        let dim = |ink| theme::mix(color.panel, ink, 0.4);
        return (dim(fill), dim(edge), dim(ink));
    }
    (fill, edge, ink)
}
