//! The sounds that were removed and can be put back, below the pads while the bank is edited.

use egui::{Align2, Rect, Ui, pos2, vec2};

use crate::{
    action::Action,
    state::State,
    ui::{
        theme::{self, GRID, size},
        widgets,
    },
};

const ROW: f32 = 5.0 * GRID;
const BUTTON: f32 = 12.0 * GRID;

/// Shows the list, if there are any.
pub(in crate::ui) fn show(ui: &mut Ui, state: &State) -> Option<Action> {
    if state.removed_sounds.is_empty() {
        return None;
    }
    let mut action = None;
    let count = state.removed_sounds.len().to_string();
    widgets::panel(ui, "REMOVED", &count, |ui| {
        let color = theme::palette(ui);
        ui.spacing_mut().item_spacing.y = 0.0;
        for sound in &state.removed_sounds {
            let row = widgets::strip(ui, ROW);
            let button = Rect::from_min_max(
                pos2(row.right() - BUTTON, row.top() + 4.0),
                row.max - vec2(0.0, 4.0),
            );
            let place = Rect::from_min_max(row.min, pos2(button.left() - GRID, row.bottom()));
            let runs = [(sound.name.as_str(), theme::regular(size::SMALL), color.text)];
            widgets::line(ui, place, Align2::LEFT_CENTER, &runs);
            ui.push_id(&sound.hash, |ui| {
                if widgets::text_button(ui, button, "Put back", "Put this sound back into the bank")
                {
                    action = Some(super::put_back(&sound.hash));
                }
            });
        }
    });
    action
}
