//! What is known of one machine: its trouble with what to do, and its numbers.

use egui::{Align2, Rect, Stroke, StrokeKind, Ui, UiBuilder, pos2};

use crate::ui::{
    format,
    room::machine::{Health, Machine},
    theme::{self, GRID, ROUNDING, size},
    widgets,
};

/// Shows what is wrong with a machine, and what to do about it.
pub(super) fn show_troubles(ui: &mut Ui, machine: &Machine<'_>) {
    if machine.troubles.is_empty() {
        return;
    }
    let color = theme::palette(ui);
    let background = ui.painter().add(egui::Shape::Noop);
    let outer = ui.available_rect_before_wrap();
    let inner = Rect::from_min_max(
        outer.min + egui::Vec2::splat(1.5 * GRID),
        pos2(outer.right() - 1.5 * GRID, f32::INFINITY),
    );
    let mut child = ui.new_child(UiBuilder::new().max_rect(inner).id_salt("troubles"));
    child.spacing_mut().item_spacing.y = 4.0;
    for trouble in &machine.troubles {
        let text = format::sentence(&trouble.text());
        widgets::prose(&mut child, &text, theme::bold(size::SMALL), color.warn);
        widgets::prose(&mut child, trouble.advice(), theme::regular(size::SMALL), color.text);
        child.add_space(4.0);
    }
    let bottom = child.min_rect().bottom() + GRID;
    let rect = Rect::from_min_max(outer.min, pos2(outer.right(), bottom));
    let is_heard = machine.health() == Health::Heard;
    let fill = theme::mix(color.panel, color.warn, if is_heard { 0.10 } else { 0.04 });
    let edge = Stroke::new(1.0, theme::mix(color.line, color.warn, 0.6));
    let sheet = egui::epaint::RectShape::new(rect, ROUNDING, fill, edge, StrokeKind::Inside);
    ui.painter().set(background, sheet);
    ui.advance_cursor_after_rect(rect);
}

/// Shows the numbers of a machine.
pub(super) fn show(ui: &mut Ui, machine: &Machine<'_>, sounds: usize) {
    widgets::panel(ui, "DETAILS", machine.kind(), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.add_space(GRID);
        let color = theme::palette(ui);
        for (label, value) in facts(machine, sounds) {
            let row = widgets::strip(ui, 3.0 * GRID);
            let runs = [(label, theme::regular(size::SMALL), color.muted)];
            let left = widgets::ink(ui, row, Align2::LEFT_CENTER, &runs);
            let place = Rect::from_min_max(pos2(left.right() + GRID, row.top()), row.max);
            let runs = [(value.as_str(), theme::regular(size::SMALL), color.text)];
            let line = widgets::line(ui, place, Align2::RIGHT_CENTER, &runs);
            line.on_hover_text(value);
        }
    });
}

fn facts(machine: &Machine<'_>, sounds: usize) -> Vec<(&'static str, String)> {
    let micros = |value: Option<u32>| value.map(|value| format::micros(value.into()));
    let report = machine.report();
    let mut facts: Vec<(&'static str, Option<String>)> = Vec::new();
    if let Some(report) = report.filter(|_| machine.is_player()) {
        facts.extend([
            ("Sounds ready", machine.ready(sounds)),
            ("Sync bound", micros(report.clock_error_micros).map(|bound| format!("±{bound}"))),
            ("Latency", micros(report.latency_micros)),
            ("Lead needed", micros(report.lead_micros)),
            ("Last sound", machine.last()),
            ("Late sounds", Some(format!("{} of {}", report.late, report.triggers))),
            ("Xruns", Some(report.xruns.to_string())),
            ("Output", report.output.clone()),
            ("Level", machine.level()),
        ]);
    }
    facts.push(("Version", machine.client.map(|client| client.client.clone())));
    facts.retain(|(_, value)| value.as_deref() != Some(""));
    let known = facts.into_iter().map(|(label, value)| (label, value.unwrap_or_else(dash)));
    known.collect()
}

fn dash() -> String {
    "–".to_owned()
}
