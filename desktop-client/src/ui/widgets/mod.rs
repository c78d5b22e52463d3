//! The widgets that views are made of: lines of text, buttons, panels, shaded discs, and what sets a value.
//!
//! Painted text is also exposed to assistive technology, which a painter alone would not do.

mod adjust;
mod button;
mod choices;
mod fader;
mod field;
pub(super) mod knob;
mod mapping;
mod search;

use egui::{
    Align2, Color32, FontId, Id, LayerId, Mesh, Order, Painter, Pos2, Rect, Response, ScrollArea,
    Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2, WidgetInfo,
    accesskit::{Live, Role},
    epaint::text::{LayoutJob, TextFormat, TextWrapping},
    pos2, vec2,
};

pub(super) use self::{
    adjust::Adjustable,
    button::{Look, act, button, cross, text_button},
    choices::{chevron, menu, opener, segments, switch},
    fader::{HEIGHT as FADER, SMALL_HEIGHT as SMALL_FADER, fader},
    field::{Drafts, Field, field},
    mapping::Mapping,
    search::{Search, search},
};
use super::theme::{self, GRID, PAD, Palette, ROUNDING, size};

/// One run of a line: text, font and colour.
pub(super) type Run<'a> = (&'a str, FontId, Color32);

/// Paints one line, truncated with an ellipsis to `rect`. Returns its response.
pub(super) fn line(ui: &mut Ui, rect: Rect, align: Align2, runs: &[Run<'_>]) -> Response {
    let place = ink(ui, rect, align, runs);
    let text: String = runs.iter().map(|(text, ..)| *text).collect();
    label(ui, place, &text)
}

/// Paints a line on a widget whose name exposes it already.
pub(super) fn ink(ui: &Ui, rect: Rect, align: Align2, runs: &[Run<'_>]) -> Rect {
    spaced_ink(ui, rect, align, runs, 0.0)
}

/// Paints runs of text, centred, from the top of `rect`, in at most so many lines.
pub(super) fn centered_runs(ui: &Ui, rect: Rect, runs: &[Run<'_>], rows: usize) {
    let mut job = job(runs, 0.0);
    let mut width = rect.width();
    if let ([(_, font, _), ..], true) = (runs, rows > 1) {
        width = balanced_width(ui, width, &job.text, font).min(width);
    }
    job.wrap = TextWrapping { max_width: width, max_rows: rows, ..TextWrapping::default() };
    job.halign = egui::Align::Center;
    let galley = ui.painter().layout_job(job);
    ui.painter().galley(rect.center_top(), galley, theme::palette(ui).text);
}

/// Paints a caption: small spaced capitals.
pub(super) fn caption(ui: &mut Ui, rect: Rect, align: Align2, text: &str) -> Response {
    let color = theme::palette(ui);
    let runs = [(text, theme::bold(size::CAPTION), color.muted)];
    let place = spaced_ink(ui, rect, align, &runs, theme::CAPTION_SPACING);
    label(ui, place, text)
}

fn spaced_ink(ui: &Ui, rect: Rect, align: Align2, runs: &[Run<'_>], spacing: f32) -> Rect {
    let color = theme::palette(ui);
    let mut job = job(runs, spacing);
    job.wrap = TextWrapping::truncate_at_width(rect.width());
    let galley = ui.painter().layout_job(job);
    let place = align.align_size_within_rect(galley.size(), rect);
    ui.painter().galley(place.min, galley, color.text);
    place
}

fn job(runs: &[Run<'_>], spacing: f32) -> LayoutJob {
    let mut job = LayoutJob::default();
    for (text, font, color) in runs {
        let format = TextFormat {
            font_id: font.clone(),
            color: *color,
            extra_letter_spacing: spacing,
            valign: egui::Align::Center,
            ..TextFormat::default()
        };
        job.append(text, 0.0, format);
    }
    job
}

/// Paints centred text from the top of `rect`, in lines of about the same length. What does not fit is cut
/// off, and shown on hover.
pub(super) fn paragraph(
    ui: &mut Ui,
    rect: Rect,
    text: &str,
    font: FontId,
    color: Color32,
) -> Response {
    let width = balanced_width(ui, rect.width(), text, &font);
    let mut job = LayoutJob::simple(text.to_owned(), font, color, width);
    job.halign = egui::Align::Center;
    let galley = ui.painter().layout_job(job);
    ui.painter_at(rect).galley(rect.center_top(), galley, color);
    label(ui, rect, text).on_hover_text(text)
}

/// The height that [`paragraph`] needs.
pub(super) fn paragraph_height(ui: &Ui, width: f32, text: &str, font: FontId) -> f32 {
    let color = theme::palette(ui);
    ui.painter().layout(text.to_owned(), font, color.text, width).size().y
}

/// Shows wrapped text of the available width, from the left.
pub(super) fn prose(ui: &mut Ui, text: &str, font: FontId, color: Color32) -> Response {
    let galley = ui.painter().layout(text.to_owned(), font, color, ui.available_width());
    let rect = strip(ui, galley.size().y);
    ui.painter().galley(rect.min, galley, color);
    label(ui, rect, text)
}

/// The smallest width, up to `max`, in which the text takes no more lines than in `max`, so that no single
/// word stands alone in the last line.
fn balanced_width(ui: &Ui, max: f32, text: &str, font: &FontId) -> f32 {
    let color = theme::palette(ui);
    let rows =
        |width| ui.painter().layout(text.to_owned(), font.clone(), color.text, width).rows.len();
    let needed = rows(max);
    let (mut too_narrow, mut enough) = (0.0, max);
    while needed > 1 && enough - too_narrow > GRID {
        let middle = f32::midpoint(too_narrow, enough);
        if rows(middle) > needed { too_narrow = middle } else { enough = middle }
    }
    enough
}

/// Exposes the text at `rect` to assistive technology.
pub(super) fn label(ui: &mut Ui, rect: Rect, text: &str) -> Response {
    let id = ui.next_auto_id();
    ui.skip_ahead_auto_ids(1);
    let response = ui.interact(rect, id, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    response
}

/// A child that paints over everything else. It is not to be pressed.
pub(super) fn overlay(ui: &mut Ui, name: &str) -> Ui {
    let window = ui.ctx().content_rect();
    let layer = LayerId::new(Order::Tooltip, Id::unique(name));
    let mut child = ui.new_child(UiBuilder::new().layer_id(layer).max_rect(window).id_salt(name));
    child.set_clip_rect(window);
    child
}

/// Makes a label a live region: changes are announced.
pub(super) fn announce(ui: &Ui, label: &Response) {
    ui.ctx().accesskit_node_builder(label.id, |node| node.set_live(Live::Polite));
}

/// Describes a widget to assistive technology, beyond its name.
pub(super) fn describe(ui: &Ui, widget: &Response, text: &str) {
    ui.ctx().accesskit_node_builder(widget.id, |node| node.set_description(text));
}

/// The behaviour of a button, with its name. Paints nothing.
pub(super) fn pressable(ui: &mut Ui, rect: Rect, id: Id, name: &str, chosen: bool) -> Response {
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Button, ui.is_enabled(), name);
        info.selected = chosen.then_some(true);
        info
    });
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// The body of a button, and its focus ring.
pub(super) fn surface(ui: &Ui, response: &Response, rect: Rect, fill: Color32, border: Color32) {
    let color = theme::palette(ui);
    let painter = ui.painter();
    painter.rect(rect, ROUNDING, fill, Stroke::new(1.0, border), StrokeKind::Inside);
    if response.has_focus() {
        let ring = Stroke::new(2.0, color.text);
        painter.rect_stroke(rect, ROUNDING, ring, StrokeKind::Inside);
    }
}

/// A panel of the available width: a caption, a value beside it, and its contents.
pub(super) fn panel(ui: &mut Ui, title: &str, value: &str, contents: impl FnOnce(&mut Ui)) {
    let color = theme::palette(ui);
    let background = ui.painter().add(egui::Shape::Noop);
    let outer = ui.available_rect_before_wrap();
    let inner =
        Rect::from_min_max(outer.min + Vec2::splat(PAD), pos2(outer.right() - PAD, f32::INFINITY));
    let mut child = ui.new_child(UiBuilder::new().max_rect(inner).id_salt(title));
    heading(&mut child, title, value);
    contents(&mut child);
    let bottom = child.min_rect().bottom() + PAD;
    let rect = Rect::from_min_max(outer.min, pos2(outer.right(), bottom));
    ui.painter().set(background, sheet(color, rect));
    ui.advance_cursor_after_rect(rect);
}

/// What a group of things stands on.
pub(super) fn sheet(color: &Palette, rect: Rect) -> egui::Shape {
    let edge = Stroke::new(1.0, color.panel_edge);
    egui::epaint::RectShape::new(rect, ROUNDING, color.panel, edge, StrokeKind::Inside).into()
}

/// The heading of a panel.
pub(super) fn heading(ui: &mut Ui, title: &str, value: &str) {
    let color = theme::palette(ui);
    let row = strip(ui, 2.0 * GRID);
    caption(ui, row, Align2::LEFT_CENTER, title);
    if !value.is_empty() {
        let runs = [(value, theme::regular(size::SMALL), color.muted)];
        line(ui, row, Align2::RIGHT_CENTER, &runs);
    }
}

/// Allocates a strip of the available width.
pub(super) fn strip(ui: &mut Ui, height: f32) -> Rect {
    ui.allocate_space(Vec2::new(ui.available_width(), height)).1
}

/// A small round light.
pub(super) fn lamp(ui: &Ui, center: Pos2, ink: Color32) {
    let halo = theme::palette(ui).glow(ink, 0.35);
    let stops = [(0.0, halo), (1.0, Color32::TRANSPARENT)];
    disc(ui.painter(), center, 12.0, Vec2::ZERO, &stops);
    ui.painter().circle_filled(center, 5.0, ink);
}

/// A disc with a radial gradient: `stops` are shares of the radius, from 0 on, with their colours. `light`
/// moves the centre of the gradient, as a lamp above moves the brightest spot.
pub(super) fn disc(
    painter: &Painter,
    center: Pos2,
    radius: f32,
    light: Vec2,
    stops: &[(f32, Color32)],
) {
    let corners = corners(radius);
    let mut mesh = Mesh::default();
    for &(share, color) in stops {
        let middle = center + light * (1.0 - share);
        for corner in 0..corners {
            let angle = corner as f32 / corners as f32 * std::f32::consts::TAU;
            mesh.colored_vertex(middle + Vec2::angled(angle) * (radius * share), color);
        }
    }
    for ring in 1..stops.len() as u32 {
        for corner in 0..corners {
            let next = (corner + 1) % corners;
            let (inner, outer) = ((ring - 1) * corners, ring * corners);
            mesh.add_triangle(inner + corner, outer + corner, outer + next);
            mesh.add_triangle(inner + corner, outer + next, inner + next);
        }
    }
    painter.add(mesh);
}

/// The rounded edge of a disc: a ring that is `upper` at its top and `lower` at its bottom, and blends
/// into what it encloses.
pub(super) fn bevel(
    painter: &Painter,
    center: Pos2,
    inner: f32,
    outer: f32,
    upper: Color32,
    lower: Color32,
) {
    let corners = corners(outer);
    let pixel = 1.0 / painter.pixels_per_point();
    let mut mesh = Mesh::default();
    for corner in 0..corners {
        let angle = corner as f32 / corners as f32 * std::f32::consts::TAU;
        let way = Vec2::angled(angle);
        // On the screen y grows downwards.
        let color = theme::mix(upper, lower, f32::midpoint(way.y, 1.0));
        mesh.colored_vertex(center + way * inner, color.gamma_multiply(0.0));
        mesh.colored_vertex(center + way * (outer - pixel), color);
        mesh.colored_vertex(center + way * outer, color.gamma_multiply(0.0));
    }
    for corner in 0..corners {
        let (here, next) = (corner * 3, (corner + 1) % corners * 3);
        for row in 0..2 {
            mesh.add_triangle(here + row, here + row + 1, next + row + 1);
            mesh.add_triangle(here + row, next + row + 1, next + row);
        }
    }
    painter.add(mesh);
}

/// Corners of a circle: one every three points is invisible.
fn corners(radius: f32) -> u32 {
    ((radius * std::f32::consts::TAU / 3.0) as u32).clamp(24, 640)
}

/// Shows `contents` in `rect`, with a scroll bar if they are higher.
pub(super) fn scrolling(ui: &mut Ui, name: &str, rect: Rect, contents: impl FnOnce(&mut Ui)) {
    // The scroll bar uses the gap beside the column, so that nothing moves when it appears.
    let outer = Rect::from_min_max(rect.min, rect.max + vec2(PAD - 4.0, 0.0));
    let mut child = ui.new_child(UiBuilder::new().max_rect(outer).id_salt(name));
    child.shrink_clip_rect(outer);
    ScrollArea::vertical().id_salt(name).auto_shrink(false).show(&mut child, |ui| {
        ui.set_max_width(rect.width());
        ui.spacing_mut().item_spacing.y = PAD;
        contents(ui);
    });
}
