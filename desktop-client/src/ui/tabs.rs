//! The tabs that switch between the views.

use egui::{Align2, Id, Rect, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

use super::{
    command::Command,
    theme::{self, GRID, size},
    view::View,
    widgets,
};

/// Shows the tabs. Returns the one that was pressed. `alert` marks the view to look at when something is
/// wrong.
pub(super) fn show(ui: &mut Ui, rect: Rect, current: View, alert: Option<View>) -> Option<View> {
    let color = theme::palette(ui);
    let mut pressed = None;
    let width = rect.width() / View::ALL.len() as f32;
    for (index, view) in View::ALL.into_iter().enumerate() {
        let left = rect.left() + width * index as f32;
        let tab = Rect::from_min_max(
            pos2(left.round(), rect.top()),
            pos2((left + width).round(), rect.bottom()),
        );
        let is_current = view == current;
        let response = ui.interact(tab, Id::unique(("tab", view.text())), egui::Sense::click());
        // The name begins with what is visible, and differs from the bang's.
        let name = format!("{} view", view.text());
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Tab, true, &name);
            info.selected = Some(is_current);
            info
        });
        let ink = if is_current || response.hovered() { color.text } else { color.muted };
        let font = if is_current { theme::bold(size::BODY) } else { theme::regular(size::BODY) };
        let place = widgets::ink(ui, tab, Align2::CENTER_CENTER, &[(view.text(), font, ink)]);
        if is_current {
            let line = Rect::from_min_max(
                pos2(place.left() - 2.0, tab.bottom() - 3.0),
                pos2(place.right() + 2.0, tab.bottom()),
            );
            ui.painter().rect_filled(line, 1.5, color.accent);
        }
        if alert == Some(view) && !is_current {
            let dot = place.right_top() + vec2(GRID * 0.75, 3.0);
            ui.painter().circle_filled(dot, 4.0, color.warn);
        }
        if response.has_focus() {
            let ring = Stroke::new(2.0, color.text);
            ui.painter().rect_stroke(tab.shrink(4.0), theme::ROUNDING, ring, StrokeKind::Inside);
        }
        let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
        let hover = Command::Show(view).hover(ui);
        if response.on_hover_text(hover).clicked() {
            pressed = Some(view);
        }
    }
    pressed
}
