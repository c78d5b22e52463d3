//! The relays that announce themselves on the network, to choose one.

use egui::{Align2, Rect, Ui, pos2, vec2};

use super::{
    address_editor::AddressEditor,
    memory::Memory,
    theme::{self, GRID, size},
    widgets,
};
use crate::{
    action::Action,
    event::{Access, FoundRelay},
};

const ROW: f32 = 6.5 * GRID;
const GAP: f32 = 4.0;
/// Relays in sight; the others are scrolled to.
const ROWS: usize = 4;

/// The height of the list.
pub(super) fn height(relays: &[FoundRelay]) -> f32 {
    relays.len().min(ROWS) as f32 * (ROW + GAP)
}

/// Shows the list in `rect`. Returns what follows from a press.
pub(super) fn show(
    ui: &mut Ui,
    rect: Rect,
    relays: &[FoundRelay],
    memory: &mut Memory,
) -> Option<Action> {
    let mut action = None;
    widgets::scrolling(ui, "relays", rect, |ui| {
        ui.spacing_mut().item_spacing.y = GAP;
        for relay in relays {
            let row = widgets::strip(ui, ROW);
            if !show_relay(ui, row, relay) {
                continue;
            }
            match relay.access {
                Access::Open => {
                    action = Some(Action::Join(relay.epoch));
                    memory.address = None;
                }
                Access::Code => {
                    memory.address = Some(AddressEditor::for_code(Some(relay.epoch), &relay.name));
                }
                Access::Link => memory.address = Some(AddressEditor::for_link(&relay.name)),
            }
        }
    });
    action
}

fn show_relay(ui: &mut Ui, rect: Rect, relay: &FoundRelay) -> bool {
    let color = theme::palette(ui);
    let id = ui.scope_id().with(("found relay", relay.epoch.0, &relay.address));
    let name = format!("Join {}", relay.name);
    let response = widgets::pressable(ui, rect, id, &name, false);
    let fill = if response.hovered() { color.raised_hover } else { color.raised };
    widgets::surface(ui, &response, rect, fill, color.line);
    let inside = rect.shrink2(vec2(1.5 * GRID, 6.0));
    let (access, ink, hover) = match relay.access {
        Access::Open => ("open", color.good, "Connect to this relay"),
        Access::Code => (
            "needs a code",
            color.warn,
            "Needs its room code or joining link, which those who run the room can show",
        ),
        Access::Link => {
            ("needs its link", color.warn, "Paste its link, which those who run the room can show")
        }
    };
    let (top, bottom) = inside.split_top_bottom_at_fraction(0.52);
    let right = [(access, theme::regular(size::SMALL), ink)];
    let beside = widgets::ink(ui, top, Align2::RIGHT_CENTER, &right);
    let place = Rect::from_min_max(top.min, pos2(beside.left() - GRID, top.bottom()));
    let runs = [(relay.name.as_str(), theme::bold(size::BODY), color.text)];
    widgets::ink(ui, place, Align2::LEFT_CENTER, &runs);
    let runs = [(relay.address.as_str(), theme::regular(size::SMALL), color.muted)];
    widgets::ink(ui, bottom, Align2::LEFT_CENTER, &runs);
    widgets::describe(ui, &response, &format!("{}, {access}", relay.address));
    response.on_hover_text(hover).clicked()
}
