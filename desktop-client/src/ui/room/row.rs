//! One row of the table of machines. A machine in trouble takes a second line, which says what to do.

use egui::{
    Align2, Color32, FontId, Rect, Response, Sense, Stroke, StrokeKind, Ui, WidgetInfo,
    accesskit::Role, pos2, vec2,
};

use super::{
    columns::{self, Placed},
    listing::Column,
    machine::{Health, Machine},
    mark, table,
};
use crate::{
    sync_status::LOOSE_MICROS,
    ui::{
        format,
        theme::{self, GRID, Palette, size},
        widgets::{self, Run},
    },
};

/// Between two rows.
pub(super) const GAP: f32 = 4.0;

const LINE: f32 = 2.5 * GRID;
const ROW: f32 = 4.5 * GRID;
/// With the second line of a machine in trouble.
const TALL: f32 = 6.5 * GRID;
/// In one column of the window: the name above the status, and what to do below.
const NARROW: f32 = 6.5 * GRID;
const NARROW_TALL: f32 = 9.0 * GRID;

/// How a row is shown.
pub(super) struct Looks<'a> {
    pub(super) columns: &'a [Placed],
    /// Between the row's edge and its first column.
    pub(super) margin: f32,
    pub(super) is_wide: bool,
    pub(super) is_selected: bool,
    pub(super) is_own: bool,
    /// How many sounds the bank has.
    pub(super) sounds: usize,
}

/// The height of a machine's row.
pub(super) fn height(machine: &Machine<'_>, is_wide: bool) -> f32 {
    match (is_wide, machine.troubles.is_empty()) {
        (true, true) => ROW,
        (true, false) => TALL,
        (false, true) => NARROW,
        (false, false) => NARROW_TALL,
    }
}

/// Shows the row.
pub(super) fn show(ui: &mut Ui, rect: Rect, machine: &Machine<'_>, looks: &Looks<'_>) -> Response {
    let color = theme::palette(ui);
    let response = ui.interact(rect, table::row_id(machine.key), Sense::click());
    let name = format!("Machine {}", machine.name);
    response
        .widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, looks.is_selected, &name));
    widgets::describe(ui, &response, &description(machine, looks.sounds));
    paint_ground(ui, color, rect, machine, looks.is_selected, &response);

    let inside = rect.shrink2(vec2(looks.margin, 0.0));
    let middle = if looks.is_wide && machine.troubles.is_empty() {
        inside.center().y
    } else {
        inside.top() + GRID + LINE / 2.0
    };
    mark::paint(ui, pos2(inside.left() + 6.0, middle), machine.health());
    if looks.is_wide {
        let line = Rect::from_min_max(
            pos2(inside.left(), middle - LINE / 2.0),
            pos2(inside.right(), middle + LINE / 2.0),
        );
        show_columns(ui, color, line, machine, looks);
    } else {
        show_narrow(ui, color, inside, machine, looks);
    }
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    match machine.advice() {
        Some(advice) => response.on_hover_text(advice),
        None => response,
    }
}

fn paint_ground(
    ui: &Ui,
    color: &Palette,
    rect: Rect,
    machine: &Machine<'_>,
    is_selected: bool,
    response: &Response,
) {
    let is_heard = machine.health() == Health::Heard;
    let base = if response.hovered() { color.raised } else { color.panel };
    let (fill, edge) = match (is_selected, is_heard) {
        (true, _) => (color.chosen, theme::mix(color.chosen, color.accent, 0.35)),
        (false, true) => {
            (theme::mix(base, color.warn, 0.08), theme::mix(color.line, color.warn, 0.6))
        }
        (false, false) => (base, color.panel_edge),
    };
    ui.painter().rect(rect, 6.0, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    if is_selected {
        let bar = Rect::from_min_size(rect.min + vec2(3.0, 5.0), vec2(3.0, rect.height() - 10.0));
        ui.painter().rect_filled(bar, 1.5, color.accent);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(rect, 6.0, Stroke::new(2.0, color.text), StrokeKind::Inside);
    }
}

fn show_columns(
    ui: &mut Ui,
    color: &Palette,
    line: Rect,
    machine: &Machine<'_>,
    looks: &Looks<'_>,
) {
    let small = theme::regular(size::SMALL);
    for Placed { column, left, width } in looks.columns {
        let cell = Rect::from_min_size(pos2(line.left() + left, line.top()), vec2(*width, LINE));
        match column {
            Column::Name => show_name(ui, color, cell, machine, looks.is_own),
            Column::Status => show_status(ui, color, cell, machine),
            _ => {
                let Some((text, ink)) = value(color, *column, machine, looks.sounds) else {
                    continue;
                };
                let align = if columns::is_number(*column) {
                    Align2::RIGHT_CENTER
                } else {
                    Align2::LEFT_CENTER
                };
                widgets::ink(ui, cell, align, &[(&text, small.clone(), ink)]);
            }
        }
    }
    // The second line goes from the status to the end of the row.
    let status = looks.columns.iter().find(|placed| placed.column == Column::Status);
    if let (Some(advice), Some(status)) = (machine.advice(), status) {
        let left = line.left() + status.left;
        let below = Rect::from_min_max(
            pos2(left, line.bottom()),
            pos2(line.right(), line.bottom() + LINE - 2.0),
        );
        widgets::ink(ui, below, Align2::LEFT_CENTER, &[(advice, small.clone(), color.muted)]);
        let below = Rect::from_min_max(
            pos2(line.left() + columns::MARK + 6.0 * GRID, line.bottom()),
            pos2(left - GRID, line.bottom() + LINE - 2.0),
        );
        let tags = machine.tags.join(", ");
        widgets::ink(ui, below, Align2::LEFT_CENTER, &[(&tags, small, color.muted)]);
    }
}

/// The name, and in a row of one line the tags beside it.
fn show_name(ui: &Ui, color: &Palette, cell: Rect, machine: &Machine<'_>, is_own: bool) {
    let small = theme::regular(size::SMALL);
    let ink = if machine.client.is_some() { color.text } else { color.muted };
    let mut runs: Vec<Run<'_>> = vec![(machine.name, theme::bold(size::SMALL), ink)];
    if is_own {
        runs.push(("  you", theme::bold(size::CAPTION), color.accent));
    }
    let tags = machine.tags.join(", ");
    if machine.troubles.is_empty() && !tags.is_empty() {
        runs.push(("  ", small.clone(), color.muted));
        runs.push((&tags, small, color.muted));
    }
    widgets::ink(ui, cell, Align2::LEFT_CENTER, &runs);
}

fn show_status(ui: &mut Ui, color: &Palette, cell: Rect, machine: &Machine<'_>) {
    let status = machine.status();
    let (font, ink) = status_look(color, machine);
    widgets::line(ui, cell, Align2::LEFT_CENTER, &[(&status, font, ink)]);
}

fn status_look(color: &Palette, machine: &Machine<'_>) -> (FontId, Color32) {
    match machine.health() {
        Health::Heard => (theme::bold(size::SMALL), color.warn),
        Health::Noted | Health::Missing => (theme::regular(size::SMALL), color.warn),
        _ => (theme::regular(size::SMALL), color.muted),
    }
}

/// What stands in a column of numbers or words, and its colour.
fn value(
    color: &Palette,
    column: Column,
    machine: &Machine<'_>,
    sounds: usize,
) -> Option<(String, Color32)> {
    let warned = |is_warned: bool| if is_warned { color.warn } else { color.text };
    let report = machine.report();
    match column {
        Column::Seat => {
            let seat = machine.seat.map_or_else(|| "–".to_owned(), |seat| seat.to_string());
            Some((seat, if machine.seat.is_some() { color.text } else { color.muted }))
        }
        Column::Sounds => {
            let text = machine.ready(sounds)?;
            let is_complete = report?.ready.is_some_and(|ready| ready as usize >= sounds);
            Some((text, warned(!is_complete)))
        }
        Column::Sync => {
            let micros = report?.clock_error_micros?;
            let text = format!("±{}", format::micros(micros.into()));
            Some((text, warned(micros > LOOSE_MICROS)))
        }
        Column::Latency => {
            let micros = report?.latency_micros?;
            let is_too_high = machine.client.is_some_and(|client| client.straggler);
            Some((format::micros(micros.into()), warned(is_too_high)))
        }
        Column::Last => {
            let is_late = report?.lateness_micros.is_some_and(|micros| micros > 0);
            Some((machine.last()?, warned(is_late)))
        }
        Column::Xruns => {
            let report = report.filter(|_| machine.is_player())?;
            let is_many = machine.troubles.iter().any(is_xruns);
            Some((report.xruns.to_string(), warned(is_many)))
        }
        Column::Level => machine.level().map(|level| (level, color.muted)),
        Column::Program => Some((machine.program()?, color.muted)),
        Column::Output => Some((report?.output.clone()?, color.muted)),
        Column::Name | Column::Status => None,
    }
}

fn is_xruns(trouble: &crate::state::Trouble) -> bool {
    matches!(trouble, crate::state::Trouble::Xruns { .. })
}

/// The row in one column of the window.
fn show_narrow(
    ui: &mut Ui,
    color: &Palette,
    inside: Rect,
    machine: &Machine<'_>,
    looks: &Looks<'_>,
) {
    let left = inside.left() + columns::MARK;
    let line = |index: f32| {
        let top = inside.top() + GRID + index * LINE;
        Rect::from_min_max(pos2(left, top), pos2(inside.right(), top + LINE))
    };
    let small = theme::regular(size::SMALL);
    let seat = machine.seat.map(|seat| format!("seat {seat}"));
    let sync = value(color, Column::Sync, machine, looks.sounds);
    let mut facts: Vec<Run<'_>> = Vec::new();
    if let Some(seat) = &seat {
        facts.push((seat, small.clone(), color.muted));
    }
    if let Some((sync, ink)) = &sync {
        let space = if facts.is_empty() { "" } else { "  " };
        facts.push((space, small.clone(), color.muted));
        facts.push((sync, small.clone(), *ink));
    }
    let beside = widgets::ink(ui, line(0.0), Align2::RIGHT_CENTER, &facts);
    let name = Rect::from_min_max(line(0.0).min, pos2(beside.left() - GRID, line(0.0).bottom()));
    show_name(ui, color, name, machine, looks.is_own);
    let mut status = line(1.0);
    if machine.troubles.is_empty() {
        let facts = [Column::Sounds, Column::Latency]
            .into_iter()
            .filter_map(|column| value(color, column, machine, looks.sounds))
            .map(|(text, _)| text);
        let facts: Vec<String> = facts.chain([machine.kind().to_owned()]).collect();
        let facts = facts.join(" · ");
        let runs = [(facts.as_str(), small.clone(), color.muted)];
        status.max.x = widgets::ink(ui, status, Align2::RIGHT_CENTER, &runs).left() - GRID;
    }
    show_status(ui, color, status, machine);
    if let Some(advice) = machine.advice() {
        widgets::ink(ui, line(2.0), Align2::LEFT_CENTER, &[(advice, small, color.muted)]);
    }
}

/// What a row says, for assistive technology.
fn description(machine: &Machine<'_>, sounds: usize) -> String {
    let mut parts = vec![machine.kind().to_owned()];
    parts.extend(machine.seat.map(|seat| format!("seat {seat}")));
    parts.push(machine.status());
    parts.extend(machine.advice().map(str::to_owned));
    parts.extend(machine.ready(sounds).map(|ready| format!("{ready} sounds ready")));
    if let Some(report) = machine.report() {
        let sync = report.clock_error_micros.map(|micros| format::micros(micros.into()));
        parts.extend(sync.map(|sync| format!("within ±{sync}")));
        let latency = report.latency_micros.map(|micros| format::micros(micros.into()));
        parts.extend(latency.map(|latency| format!("latency {latency}")));
    }
    parts.join(", ")
}
