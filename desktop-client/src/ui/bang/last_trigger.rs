//! Below the disc: the last trigger, its receipt for those who run the room, and what is wrong on this machine.

use egui::{Align2, Id, Rect, Stroke, Ui, vec2};

use crate::{
    state::State,
    time::LocalTime,
    ui::{
        memory::Memory,
        receipt, room,
        theme::{self, GRID, PAD, Palette, ROUNDING, size},
        widgets,
    },
};

/// The row of the last trigger, and its distance from the disc.
const ROW_HEIGHT: f32 = 3.25 * GRID;
const GAP: f32 = 4.0;
/// The note below it.
const NOTE_HEIGHT: f32 = 3.0 * GRID;

/// Shows the last trigger, and below it a problem of this machine, if there is one. A refusal of the
/// relay takes the place of both. A receipt has `rows` lines at most.
pub(super) fn show(
    ui: &mut Ui,
    rect: Rect,
    rows: usize,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) {
    let color = theme::palette(ui);
    if let Some(reason) = &state.refusal {
        return show_refusal(ui, rect, reason);
    }
    let inside = Rect::from_min_max(rect.min + vec2(0.0, GAP), rect.max);
    let (first, second) = inside.split_top_bottom_at_y(inside.top() + ROW_HEIGHT);
    let mut runs = Vec::new();
    match state.last() {
        None if !state.can_bang() => {}
        None => {
            runs.push(("Press the disc, Space or Enter", theme::regular(size::BODY), color.muted));
        }
        Some(played) => {
            runs.push((played.sound.as_str(), theme::bold(size::LAST), color.text));
            let by = if played.own { Some("you") } else { played.by.as_deref() };
            if let Some(by) = by {
                runs.push(("  by  ", theme::regular(size::LAST), color.muted));
                runs.push((by, theme::bold(size::LAST), color.text));
            }
        }
    }
    if !runs.is_empty() {
        let label = widgets::line(ui, first, Align2::CENTER_CENTER, &runs);
        widgets::announce(ui, &label);
    }
    if let Some((problem, ink)) = problem(color, state) {
        let second = second.shrink2(vec2(PAD, 0.0));
        let label = widgets::paragraph(ui, second, &problem, theme::regular(size::SMALL), ink);
        return widgets::announce(ui, &label);
    }
    if show_receipt(ui, second, rows, state, now, memory) {
        return;
    }
    let (note, ink) = match state.last() {
        Some(played) if played.late => ("Late: joined in the middle", color.warn),
        Some(_) => ("Last played", color.muted),
        None => return,
    };
    let second = Rect::from_min_size(second.min, vec2(second.width(), NOTE_HEIGHT));
    widgets::line(ui, second, Align2::CENTER_CENTER, &[(note, theme::regular(size::SMALL), ink)]);
}

/// Shows the receipt of the last bang, if it is known. A press shows all of them.
fn show_receipt(
    ui: &mut Ui,
    rect: Rect,
    rows: usize,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> bool {
    let Some(room) = state.room.as_ref().filter(|_| state.is_conductor()) else { return false };
    let Some(timed) = room.receipts.back() else { return false };
    let (receipt, patience) = (&timed.receipt, timed.patience(now));
    let color = theme::palette(ui);
    if let Some(patience) = patience.filter(|_| !receipt.waiting.is_empty()) {
        ui.ctx().request_repaint_after(patience);
    }
    let parts = receipt::parts(receipt, room, patience.is_some());
    // The line above names the last trigger that sounds here, which may be another one.
    let sound = format!("{}: ", receipt.sound);
    let mut runs = room::runs_of(color, &parts);
    if state.last().is_none_or(|played| played.sound != receipt.sound) {
        runs.insert(0, (&sound, theme::regular(size::SMALL), color.muted));
    }
    let text: String = runs.iter().map(|(text, ..)| *text).collect();
    let response = widgets::pressable(ui, rect, Id::unique("last receipt"), &text, false);
    if response.hovered() || response.has_focus() {
        widgets::surface(ui, &response, rect, color.raised, color.line);
    }
    widgets::announce(ui, &response);
    widgets::centered_runs(ui, rect.shrink2(vec2(4.0, 0.0)), &runs, rows);
    if response.on_hover_text(format!("{text}\nPress for all receipts")).clicked() {
        memory.show_receipts();
    }
    true
}

/// The worst problem of this machine, if there is one.
fn problem(color: &Palette, state: &State) -> Option<(String, egui::Color32)> {
    if state.output_problem().is_some() {
        return Some(("No output: this machine is silent.".to_owned(), color.bad));
    }
    if let Some(reason) = state.prohibition().filter(|_| state.own_id().is_some()) {
        return Some((reason.to_owned(), color.warn));
    }
    if state.stopped_locally {
        let text = "Stopped on this machine only: there is no relay to stop the others.".to_owned();
        return Some((text, color.warn));
    }
    let text = state.sync_status.lead_problem().or_else(|| state.sync_status.clock_problem())?;
    Some((text, color.warn))
}

fn show_refusal(ui: &mut Ui, rect: Rect, reason: &str) {
    let color = theme::palette(ui);
    let text = format!("The relay refused: {}.", reason.trim_end_matches('.'));
    let fill = theme::mix(color.panel, color.warn, 0.12);
    let border = Stroke::new(1.0, theme::mix(color.line, color.warn, 0.5));
    ui.painter().rect(rect, ROUNDING, fill, border, egui::StrokeKind::Inside);
    let font = theme::regular(size::BODY);
    let width = rect.width() - 2.0 * PAD;
    let height = widgets::paragraph_height(ui, width, &text, font.clone()).min(rect.height());
    let place = Rect::from_center_size(rect.center(), vec2(width, height));
    let label = widgets::paragraph(ui, place, &text, font, color.warn);
    widgets::announce(ui, &label);
}
