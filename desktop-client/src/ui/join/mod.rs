//! How others join: a QR code, links for each kind of rights and each address, and the room code.

mod links;
mod projector;
mod qr;

use downbeat_protocol::Joining;
use egui::{Align2, Frame, Id, Modal, Rect, Ui, pos2, vec2};

use self::{links::Chosen, qr::Qr};
use super::{
    theme::{self, GRID, PAD, size},
    widgets::{self, Look},
};
use crate::state::State;

/// Its largest size: with the code beside the links, and above them.
const WIDE: egui::Vec2 = egui::Vec2::new(90.0 * GRID, 55.0 * GRID);
const NARROW: egui::Vec2 = egui::Vec2::new(56.0 * GRID, 86.0 * GRID);

/// The panel, while it is open.
#[derive(Clone, Debug, Default)]
pub(super) struct JoinPanel {
    chosen: Chosen,
    qr: Qr,
    /// Whether it fills the window, for a projector.
    is_large: bool,
    /// Whether the link was copied since it was chosen.
    is_copied: bool,
}

impl JoinPanel {
    /// Whether it fills the window.
    pub(super) fn is_large(&self) -> bool {
        self.is_large
    }

    /// Leaves the full window, or closes. Returns whether it stays open.
    pub(super) fn leave(&mut self) -> bool {
        std::mem::take(&mut self.is_large)
    }
}

/// A room code as it is read out: in two groups.
pub(super) fn spaced(code: &str) -> String {
    let letters: Vec<char> = code.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

/// Shows the panel over everything else, if it is open.
pub(super) fn show(ui: &Ui, state: &State, open: &mut Option<JoinPanel>) {
    let Some(mut panel) = open.take() else { return };
    let window = ui.ctx().content_rect();
    let is_wide = window.width() >= WIDE.x + 4.0 * GRID;
    let size = (window.size() - vec2(4.0, 4.0) * GRID).min(if is_wide { WIDE } else { NARROW });
    let color = theme::palette(ui);
    let frame = Frame::new()
        .fill(color.panel)
        .stroke(egui::Stroke::new(1.0, color.line))
        .corner_radius(theme::ROUNDING)
        .shadow(ui.visuals().popup_shadow);
    let modal = Modal::new(Id::unique("join")).frame(frame);
    let response = modal.show(ui.ctx(), |ui| {
        let rect = ui.allocate_space(size).1;
        contents(ui, rect.shrink(1.5 * PAD), state, &mut panel)
    });
    let is_closed = response.inner || response.backdrop_response.clicked();
    *open = (!is_closed).then_some(panel);
}

/// Shows the panel over all of the window.
pub(super) fn show_large(ui: &mut Ui, state: &State, open: &mut Option<JoinPanel>) {
    let Some(panel) = open else { return };
    let joining = state.room.as_ref().and_then(|room| room.joining.as_ref());
    let Some(joining) = joining.filter(|joining| !joining.links.is_empty()) else {
        panel.is_large = false;
        return;
    };
    if projector::show(ui, joining, panel) {
        panel.is_large = false;
    }
}

/// Shows what the panel contains. Returns whether it is to be closed.
fn contents(ui: &mut Ui, rect: Rect, state: &State, panel: &mut JoinPanel) -> bool {
    let color = theme::palette(ui);
    let title = Rect::from_min_size(rect.min, vec2(rect.width(), theme::SMALL_CONTROL));
    let runs = [("How others join", theme::bold(size::TITLE), color.text)];
    widgets::line(ui, title, Align2::LEFT_CENTER, &runs);
    let cross = Rect::from_min_max(pos2(title.right() - title.height(), title.top()), title.max);
    let is_closed = widgets::cross(ui, cross, Id::unique("join close"), "Close", "Close (Esc)");
    let below = Rect::from_min_max(pos2(rect.left(), title.bottom() + GRID), rect.max);
    let joining = state.room.as_ref().and_then(|room| room.joining.as_ref());
    match joining {
        Some(joining) if !joining.links.is_empty() => show_links(ui, below, joining, panel),
        other => {
            let text = if !state.is_conductor() {
                "Only conductors see how others join. Ask one for a link."
            } else if other.is_none() {
                "Asking the relay…"
            } else {
                "The relay has no address that others can reach: it listens on this machine only. Start \
                 it with --listen 0.0.0.0:3000."
            };
            let place = Rect::from_center_size(
                below.center(),
                vec2(below.width().min(50.0 * GRID), 8.0 * GRID),
            );
            widgets::paragraph(ui, place, text, theme::regular(size::BODY), color.muted);
        }
    }
    is_closed
}

fn show_links(ui: &mut Ui, rect: Rect, joining: &Joining, panel: &mut JoinPanel) {
    let color = theme::palette(ui);
    let link = panel.chosen.link(joining);
    // Beside each other, or, in a narrow window, below each other.
    let is_wide = rect.width() > rect.height();
    let side = if is_wide {
        rect.height().min(rect.width() * 0.5)
    } else {
        (rect.height() - 38.0 * GRID).min(rect.width())
    };
    let corner = if is_wide { rect.min } else { pos2(rect.center().x - side / 2.0, rect.top()) };
    let square = Rect::from_min_size(corner, egui::Vec2::splat(side));
    panel.qr.show(ui, square, &link.url);
    let beside = if is_wide {
        Rect::from_min_max(pos2(square.right() + 3.0 * GRID, rect.top()), rect.max)
    } else {
        Rect::from_min_max(pos2(rect.left(), square.bottom() + PAD), rect.max)
    };
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(beside).id_salt("links"));
    child.spacing_mut().item_spacing.y = GRID;
    let ui = &mut child;
    let address = links::address(&link.url);
    let text = match &joining.code {
        Some(_) => format!("Scan the code, or open {address} and type"),
        None => format!("Scan the code, or open {address}"),
    };
    widgets::prose(ui, &text, theme::regular(size::BODY), color.text);
    if let Some(code) = &joining.code {
        let row = widgets::strip(ui, 6.0 * GRID);
        let code = spaced(code);
        let runs = [(code.as_str(), theme::bold(40.0), color.text)];
        widgets::line(ui, row, Align2::LEFT_CENTER, &runs);
    }
    ui.add_space(GRID);
    if panel.chosen.show(ui, joining) {
        panel.is_copied = false;
    }
    ui.add_space(GRID);
    let row = widgets::strip(ui, theme::SMALL_CONTROL);
    let half = (row.width() - GRID) / 2.0;
    let left = Rect::from_min_size(row.min, vec2(half, row.height()));
    let large = widgets::button(ui, left, "Fill the window", Look::Accent);
    if large.on_hover_text("For a projector; Esc leaves").clicked() {
        panel.is_large = true;
    }
    let right = left.translate(vec2(half + GRID, 0.0));
    let text = if panel.is_copied { "Copied" } else { "Copy link" };
    if widgets::button(ui, right, text, Look::Raised).clicked() {
        ui.ctx().copy_text(link.url.clone());
        panel.is_copied = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_code_is_read_out_in_two_groups() {
        assert_eq!(spaced("48271963"), "4827 1963");
        assert_eq!(spaced(""), "");
    }
}
