//! How others join, over all of the window: to be read from across a room.

use downbeat_protocol::Joining;
use egui::{Align2, Id, Rect, Ui, pos2, vec2};

use super::{JoinPanel, links, spaced};
use crate::ui::{
    theme::{self, GRID, size},
    widgets,
};

/// Shows it. Returns whether it is to be left.
pub(super) fn show(ui: &mut Ui, joining: &Joining, panel: &mut JoinPanel) -> bool {
    let color = theme::palette(ui);
    let window = ui.ctx().content_rect();
    ui.painter().rect_filled(window, 0.0, color.background);
    let link = panel.chosen.link(joining);
    let inside = window.shrink2(vec2(window.width() * 0.04, window.height() * 0.05));
    let is_wide = inside.width() > inside.height() * 1.25;
    let side = if is_wide {
        inside.height().min(inside.width() * 0.5)
    } else {
        (inside.height() * 0.6).min(inside.width())
    };
    let (square, text) = if is_wide {
        let corner = pos2(inside.left(), inside.center().y - side / 2.0);
        let square = Rect::from_min_size(corner, vec2(side, side));
        let left = square.right() + inside.width() * 0.04;
        (square, Rect::from_min_max(pos2(left, inside.top()), inside.max))
    } else {
        let corner = pos2(inside.center().x - side / 2.0, inside.top());
        let square = Rect::from_min_size(corner, vec2(side, side));
        (square, Rect::from_min_max(pos2(inside.left(), square.bottom() + GRID), inside.max))
    };
    panel.qr.show(ui, square, &link.url);
    write(ui, text, joining, &links::address(&link.url));

    let leave = Rect::from_min_size(pos2(window.right() - 7.0 * GRID, window.top() + GRID), {
        vec2(6.0, 6.0) * GRID
    });
    let cross = widgets::cross(ui, leave, Id::unique("projector leave"), "Leave", "Leave (Esc)");
    let hint = Rect::from_min_max(
        pos2(window.left(), window.bottom() - 4.0 * GRID),
        window.max - vec2(2.0 * GRID, 0.0),
    );
    let runs = [("Esc leaves", theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, hint, Align2::RIGHT_CENTER, &runs);
    cross
}

/// What to do, the address, and the room code, as large as they fit.
fn write(ui: &mut Ui, rect: Rect, joining: &Joining, address: &str) {
    let color = theme::palette(ui);
    let short = address.trim_start_matches("http://");
    let largest = |text: &str, share: f32| {
        let at_hundred =
            ui.painter().layout_no_wrap(text.to_owned(), theme::bold(100.0), color.text).size().x;
        let fitting = rect.width() / at_hundred.max(1.0) * 100.0;
        fitting.min(rect.height() * share).clamp(size::BODY, 160.0).floor()
    };
    let code = joining.code.as_deref().map(spaced);
    let scan = "Scan the code, or open";
    let small = largest(scan, 0.055).min(40.0);
    let mut lines: Vec<(&str, f32, egui::Color32)> = vec![(scan, small, color.muted)];
    lines.push((short, largest(short, 0.14), color.text));
    if let Some(code) = &code {
        lines.push(("and type", small, color.muted));
        lines.push((code, largest(code, 0.26), color.accent));
    }
    let height: f32 = lines.iter().map(|(_, size, _)| size * 1.5).sum();
    let mut top = rect.center().y - height / 2.0;
    for (text, size, ink) in lines {
        let row = Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), size * 1.5));
        widgets::line(ui, row, Align2::LEFT_CENTER, &[(text, theme::bold(size), ink)]);
        top = row.bottom();
    }
}
