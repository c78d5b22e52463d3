//! Below the disc: the last trigger, and what is wrong on this machine.

use egui::{Align2, Rect, Stroke, Ui, vec2};

use crate::{
    state::State,
    ui::{
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
/// relay takes the place of both.
pub(super) fn show(ui: &mut Ui, rect: Rect, state: &State) {
    let color = theme::palette(ui);
    if let Some(reason) = &state.refusal {
        return show_refusal(ui, rect, reason);
    }
    let rows = Rect::from_min_max(rect.min + vec2(0.0, GAP), rect.max);
    let (first, second) = rows.split_top_bottom_at_y(rows.top() + ROW_HEIGHT);
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
    let (note, ink) = match state.last() {
        Some(played) if played.late => ("Late: joined in the middle", color.warn),
        Some(_) => ("Last played", color.muted),
        None => return,
    };
    let second = Rect::from_min_size(second.min, vec2(second.width(), NOTE_HEIGHT));
    widgets::line(ui, second, Align2::CENTER_CENTER, &[(note, theme::regular(size::SMALL), ink)]);
}

/// The worst problem of this machine, if there is one.
fn problem(color: &Palette, state: &State) -> Option<(String, egui::Color32)> {
    if state.output_problem().is_some() {
        return Some(("No output: this machine is silent.".to_owned(), color.bad));
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
