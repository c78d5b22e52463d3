//! A question before something is done that cannot be undone from here.

use egui::{Align2, Frame, Id, Modal, Rect, Stroke, Ui, vec2};

use super::{Context, change, inspector::halves, machine::Machine, memory::Question};
use crate::ui::room::memory::Kept;
use crate::{
    action::Action,
    ui::{
        theme::{self, GRID, PAD, size},
        widgets::{self, Look},
    },
};

const WIDTH: f32 = 48.0 * GRID;

/// Asks it, if there is one. Returns what is done if the answer is yes.
pub(super) fn show(ui: &Ui, context: &Context<'_>, memory: &mut Kept<'_>) -> Option<Action> {
    let question = memory.room.question?;
    let selected = context.selected(&memory.room.selection);
    let (title, text, yes) = match question {
        Question::Forget => (format!("Forget {}?", who(&selected)), forget(&selected), "Forget"),
        Question::Resign(_) => (
            "Give up running the room?".to_owned(),
            "This machine is among the selected ones. Only another conductor could undo that."
                .to_owned(),
            "Give up",
        ),
    };
    let color = theme::palette(ui);
    let frame = Frame::new()
        .fill(color.panel)
        .stroke(Stroke::new(1.0, color.line))
        .corner_radius(theme::ROUNDING)
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(1.5 * PAD);
    let width = WIDTH.min(ui.ctx().content_rect().width() - 4.0 * GRID) - 3.0 * PAD;
    let modal = Modal::new(Id::unique("question")).frame(frame);
    let response = modal.show(ui.ctx(), |ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = PAD;
        let row = widgets::strip(ui, 3.0 * GRID);
        let runs = [(title.as_str(), theme::bold(size::LAST), color.text)];
        let label = widgets::line(ui, row, Align2::LEFT_CENTER, &runs);
        widgets::announce(ui, &label);
        widgets::prose(ui, &text, theme::regular(size::BODY), color.muted);
        answer(ui, yes)
    });
    let is_cancelled = response.should_close() || response.inner == Some(false);
    if is_cancelled {
        memory.room.question = None;
    }
    if response.inner != Some(true) {
        return None;
    }
    memory.room.question = None;
    let machines = selected.iter().copied();
    match question {
        Question::Forget => change::forget(machines),
        Question::Resign(rights) => {
            change::assign(machines, |request| request.rights = Some(rights))
        }
    }
}

/// Shows both answers. Returns the one that was pressed.
fn answer(ui: &mut Ui, yes: &str) -> Option<bool> {
    let row: Rect = ui.allocate_space(vec2(ui.available_width(), theme::SMALL_CONTROL)).1;
    let (left, right) = halves(row);
    if widgets::button(ui, left, "Cancel", Look::Raised).clicked() {
        return Some(false);
    }
    widgets::button(ui, right, yes, Look::Danger).clicked().then_some(true)
}

fn who(selected: &[&Machine<'_>]) -> String {
    match selected {
        [only] => only.name.to_owned(),
        several => format!("{} machines", several.len()),
    }
}

fn forget(selected: &[&Machine<'_>]) -> String {
    let what = "Name, seat, place, tags, volume and rights are lost.";
    let is_connected = selected.iter().any(|machine| machine.client.is_some());
    if is_connected {
        format!("{what} One that is connected begins anew.")
    } else {
        what.to_owned()
    }
}
