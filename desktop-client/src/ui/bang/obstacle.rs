//! Why it cannot bang.

use egui::{Align2, Rect, Stroke, Ui, pos2, vec2};

use crate::{
    action::Action,
    state::{ConnectionState, State},
    ui::{
        address_editor::AddressEditor,
        format,
        layout::BangPlaces,
        memory::Memory,
        theme::{self, GRID, PAD, ROUNDING, size},
        widgets::{self, Look},
    },
};

/// Shows, over the disc, why it cannot bang, with a button to change that.
pub(super) fn show(
    ui: &mut Ui,
    layout: &BangPlaces,
    state: &State,
    memory: &mut Memory,
    actions: &mut Vec<Action>,
) {
    let color = theme::palette(ui);
    let (title, reason, hint, button_text) = match &state.connection {
        ConnectionState::Connecting | ConnectionState::Connected(_) => return,
        ConnectionState::Lost { reason, retry_in } => {
            ("No relay", reason, format::next_try(*retry_in), "Retry now")
        }
        ConnectionState::InvalidAddress { reason } => {
            ("Invalid address", reason, "Fix the address to connect.".to_owned(), "Change address")
        }
    };
    let width = (layout.area.width() - 2.0 * PAD).min(400.0);
    let text_width = width - 4.0 * GRID;
    let reason = format::sentence(reason);
    let reason_font = theme::regular(size::BODY);
    let reason_height = widgets::paragraph_height(ui, text_width, &reason, reason_font.clone());
    let height = 20.0 * GRID + reason_height;
    // A card that is higher than the disc begins below the header.
    let top = (layout.center.y - height / 2.0).max(layout.area.top());
    let left = layout.area.center().x - width / 2.0;
    let card = Rect::from_min_size(pos2(left, top), vec2(width, height));
    let border = Stroke::new(1.0, theme::mix(color.line, color.bad, 0.5));
    ui.painter().rect(card, ROUNDING, color.panel, border, egui::StrokeKind::Inside);

    let inside = card.shrink2(vec2(2.0 * GRID, 2.0 * GRID));
    let title_row = Rect::from_min_size(inside.min, vec2(inside.width(), 4.0 * GRID));
    let runs = [(title, theme::bold(size::TITLE), color.bad)];
    let label = widgets::line(ui, title_row, Align2::CENTER_CENTER, &runs);
    widgets::announce(ui, &label);
    let text = Rect::from_min_size(
        pos2(card.center().x - text_width / 2.0, title_row.bottom() + GRID),
        vec2(text_width, reason_height),
    );
    widgets::paragraph(ui, text, &reason, reason_font, color.text);
    let hint_row = Rect::from_min_size(
        pos2(inside.left(), text.bottom() + GRID / 2.0),
        vec2(inside.width(), 3.0 * GRID),
    );
    let runs = [(hint.as_str(), theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, hint_row, Align2::CENTER_CENTER, &runs);
    let button = Rect::from_center_size(
        pos2(card.center().x, inside.bottom() - theme::CONTROL / 2.0),
        vec2(22.0 * GRID, theme::CONTROL),
    );
    if widgets::button(ui, button, button_text, Look::Accent).clicked() {
        match state.connection {
            ConnectionState::InvalidAddress { .. } => {
                memory.address = Some(AddressEditor::new(&state.relay));
            }
            _ => actions.push(Action::RetryNow),
        }
    }
}
