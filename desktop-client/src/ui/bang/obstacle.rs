//! Why it cannot bang for lack of a relay, and what can be done: try again, another address, or one of the
//! relays that were found on the network.

use egui::{Align2, Color32, Rect, Stroke, Ui, pos2, vec2};

use crate::{
    action::Action,
    state::{ConnectionState, State},
    ui::{
        address_editor::AddressEditor,
        format,
        layout::BangPlaces,
        memory::Memory,
        relays,
        theme::{self, GRID, PAD, ROUNDING, size},
        widgets::{self, Look},
    },
};

const TITLE: f32 = 4.0 * GRID;
const HINT: f32 = 3.0 * GRID;
const CAPTION: f32 = 3.5 * GRID;

/// What stands on the card.
struct Card {
    title: &'static str,
    ink: Color32,
    reason: String,
    hint: String,
    button: &'static str,
}

/// Shows, over the disc, why it cannot bang, with a button to change that.
pub(super) fn show(
    ui: &mut Ui,
    layout: &BangPlaces,
    state: &State,
    memory: &mut Memory,
    actions: &mut Vec<Action>,
) {
    let Some(card) = card(ui, state) else { return };
    let color = theme::palette(ui);
    let width = (layout.area.width() - 2.0 * PAD).min(400.0);
    let text_width = width - 4.0 * GRID;
    let reason_font = theme::regular(size::BODY);
    let reason_height =
        widgets::paragraph_height(ui, text_width, &card.reason, reason_font.clone());
    // While the address is edited, they stand below the editor.
    let list_height = if state.relays.is_empty() || memory.address.is_some() {
        0.0
    } else {
        CAPTION + relays::height(&state.relays) + GRID
    };
    let height = 20.0 * GRID + reason_height + list_height;
    // A card that is higher than the disc begins below the header.
    let top = (layout.center.y - height / 2.0).max(layout.area.top());
    let left = layout.area.center().x - width / 2.0;
    let rect = Rect::from_min_size(pos2(left, top), vec2(width, height));
    let border = Stroke::new(1.0, theme::mix(color.line, card.ink, 0.5));
    ui.painter().rect(rect, ROUNDING, color.panel, border, egui::StrokeKind::Inside);

    let inside = rect.shrink(2.0 * GRID);
    let title_row = Rect::from_min_size(inside.min, vec2(inside.width(), TITLE));
    let runs = [(card.title, theme::bold(size::TITLE), card.ink)];
    let label = widgets::line(ui, title_row, Align2::CENTER_CENTER, &runs);
    widgets::announce(ui, &label);
    let text = Rect::from_min_size(
        pos2(rect.center().x - text_width / 2.0, title_row.bottom() + GRID),
        vec2(text_width, reason_height),
    );
    widgets::paragraph(ui, text, &card.reason, reason_font, color.text);
    let hint_row = Rect::from_min_size(
        pos2(inside.left(), text.bottom() + GRID / 2.0),
        vec2(inside.width(), HINT),
    );
    let runs = [(card.hint.as_str(), theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, hint_row, Align2::CENTER_CENTER, &runs);
    if list_height > 0.0 {
        let caption = Rect::from_min_size(
            pos2(inside.left(), hint_row.bottom()),
            vec2(inside.width(), CAPTION),
        );
        widgets::caption(ui, caption, Align2::LEFT_CENTER, "FOUND ON THIS NETWORK");
        let list = Rect::from_min_size(
            caption.left_bottom(),
            vec2(inside.width(), relays::height(&state.relays)),
        );
        actions.extend(relays::show(ui, list, &state.relays, memory));
    }
    let button = Rect::from_center_size(
        pos2(rect.center().x, inside.bottom() - theme::CONTROL / 2.0),
        vec2(22.0 * GRID, theme::CONTROL),
    );
    // A relay that was found is likelier what one wants.
    let look = if list_height > 0.0 { Look::Raised } else { Look::Accent };
    if widgets::button(ui, button, card.button, look).clicked() {
        match state.connection {
            ConnectionState::Lost { .. } => actions.push(Action::RetryNow),
            ConnectionState::CodeRefused { relay, .. } => {
                memory.address = Some(AddressEditor::for_code(relay, &state.relay));
            }
            _ => memory.address = Some(AddressEditor::new(&state.relay)),
        }
    }
}

/// The card, if there is a reason for one.
fn card(ui: &Ui, state: &State) -> Option<Card> {
    let color = theme::palette(ui);
    Some(match &state.connection {
        ConnectionState::Connected(_) => return None,
        // It answers within a moment. Only where there is a choice, it is offered meanwhile.
        ConnectionState::Connecting if state.relays.is_empty() => return None,
        ConnectionState::Connecting => Card {
            title: "Connecting…",
            ink: color.warn,
            reason: format!("{} has not answered yet.", state.relay),
            hint: "It goes on trying. Or join another relay.".to_owned(),
            button: "Change address",
        },
        ConnectionState::Lost { reason, retry_in } => Card {
            title: "No relay",
            ink: color.bad,
            reason: format::sentence(reason),
            hint: format::next_try(*retry_in),
            button: "Retry now",
        },
        ConnectionState::InvalidAddress { reason } => Card {
            title: "Invalid address",
            ink: color.bad,
            reason: format::sentence(reason),
            hint: "Fix the address to connect.".to_owned(),
            button: "Change address",
        },
        ConnectionState::CodeRefused { reason, .. } => Card {
            title: "Not joined",
            ink: color.bad,
            reason: format::sentence(reason),
            hint: "Try again, or paste the link.".to_owned(),
            button: "Enter code",
        },
    })
}
