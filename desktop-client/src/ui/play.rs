//! The view *Play*: pads, how they are played, the bang, the variables.

use egui::{Align2, Id, Rect, Ui, pos2, vec2};

use super::{
    bang, bank,
    command::Command,
    hand_panel,
    layout::{Layout, PlayPlaces},
    memory::Memory,
    output, pads, room, target_panel,
    theme::{self, GRID, PAD, size},
    variables,
    widgets::{self, Search},
};
use crate::{
    action::Action,
    state::{Readiness, State},
    time::LocalTime,
};

/// The row of the search and the target, and the caption below it.
const TOOLS: f32 = theme::SMALL_CONTROL;
const CAPTION: f32 = 2.0 * GRID;
/// The button that begins and ends the editing of sounds.
const EDIT: f32 = 11.5 * GRID;

/// Shows the view. `bangs` says how often the keyboard banged.
pub(super) fn show(
    ui: &mut Ui,
    layout: &Layout,
    bangs: usize,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let PlayPlaces { bang, output: level, main, side } = layout.play();
    actions.extend(bang::show(ui, &bang, bangs, state, now, memory));
    actions.extend(if layout.is_wide {
        output::show_level(ui, level, state, now, memory)
    } else {
        output::show_small_level(ui, level, state, now, memory)
    });
    let (tools, rest) = main.split_top_bottom_at_y(main.top() + TOOLS + GRID + CAPTION);
    actions.extend(show_tools(ui, tools, state, now, memory));
    let rest = Rect::from_min_max(rest.min + vec2(0.0, GRID), rest.max);
    match side {
        Some(side) => {
            widgets::scrolling(ui, "pads", rest, |ui| {
                actions.extend(pads::show(ui, rest.height(), state, now, memory));
            });
            actions.extend(show_strip(ui, side.hand, state, now, memory));
            widgets::scrolling(ui, "side", side.rest, |ui| {
                actions.extend(variables::show(ui, state, now, memory));
                room::show_list(ui, state, now);
            });
        }
        None => widgets::scrolling(ui, "below", rest, |ui| {
            actions.extend(pads::show(ui, rest.height() - PAD, state, now, memory));
            let strip = widgets::strip(ui, hand_panel::HEIGHT);
            actions.extend(show_strip(ui, strip, state, now, memory));
            actions.extend(variables::show(ui, state, now, memory));
            room::show_list(ui, state, now);
        }),
    }
    // Over everything else.
    actions.extend(bang::show_obstacle(ui, &bang, state, memory));
    actions
}

/// How pads are played by hand; or, while sounds are edited, the edited sound.
fn show_strip(
    ui: &mut Ui,
    rect: Rect,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    if memory.bank.edits(state) {
        let mut kept = bank::Kept { bank: &mut memory.bank, drafts: &mut memory.drafts };
        return bank::show_editor(ui, rect, state, now, &mut kept);
    }
    hand_panel::show(ui, rect, state, &mut memory.hand);
    Vec::new()
}

/// Search and target, and below them what the pads are, and which of them fail.
fn show_tools(
    ui: &mut Ui,
    rect: Rect,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Option<Action> {
    let row = Rect::from_min_size(rect.min, vec2(rect.width(), TOOLS));
    let width = (rect.width() * 0.4).min(30.0 * GRID).round();
    let (search, target) = row.split_left_right_at_x(row.left() + width);
    let field = Search { id: Id::unique("search"), name: "Search sounds", hint: "Search  ( / )" };
    widgets::search(ui, search, &field, &mut memory.search, &mut memory.focuses_search);
    let target = Rect::from_min_max(target.min + vec2(GRID, 0.0), target.max);
    let mut action = None;
    match state.prohibition().filter(|_| state.own_id().is_some()) {
        // Who may not bang has nobody to choose.
        Some(reason) => show_notice(ui, target, reason),
        None if memory.bank.edits(state) => {
            let mut field = target;
            if !state.removed_sounds.is_empty() {
                let menu = Rect::from_min_max(
                    pos2(target.right() - bank::REMOVED, target.top()),
                    target.max,
                );
                field.max.x = menu.left() - GRID;
                action = bank::show_removed(ui, menu, state);
            }
            let added = bank::show_add(ui, field, &mut memory.drafts, &mut memory.bank);
            action = action.or(added);
        }
        None => target_panel::show(ui, target, state, now, &mut memory.hand.target),
    }

    let below = Rect::from_min_max(pos2(rect.left(), rect.bottom() - CAPTION), rect.max);
    let caption = widgets::caption(ui, below, Align2::LEFT_CENTER, "PADS");
    let beside = Rect::from_min_max(pos2(caption.rect.right() + GRID, below.top()), below.max);
    let color = theme::palette(ui);
    let count = pads::count(state, &memory.search);
    let runs = [(count.as_str(), theme::regular(size::SMALL), color.muted)];
    let count = widgets::line(ui, beside, Align2::LEFT_CENTER, &runs);
    let mut others = Rect::from_min_max(pos2(count.rect.right() + PAD, below.top()), below.max);
    if state.is_conductor() {
        let button = Rect::from_min_max(pos2(others.right() - EDIT, others.top() - 4.0), {
            others.max + vec2(0.0, 4.0)
        });
        let text = if memory.bank.edits(state) { "Done" } else { "Edit sounds" };
        let hover = Command::EditSounds.hover(ui);
        if widgets::text_button(ui, button, text, &hover) {
            memory.bank.toggle_editing();
        }
        others.max.x = button.left() - GRID;
    }
    if state.is_conductor() && state.locked {
        let runs = [("Locked: only conductors bang", theme::bold(size::SMALL), color.warn)];
        widgets::line(ui, others, Align2::LEFT_CENTER, &runs);
    } else {
        show_failures(ui, others, state);
    }
    action
}

/// Why this machine may not bang.
fn show_notice(ui: &mut Ui, rect: Rect, reason: &str) {
    let color = theme::palette(ui);
    let fill = theme::mix(color.panel, color.warn, 0.12);
    let edge = egui::Stroke::new(1.0, theme::mix(color.line, color.warn, 0.6));
    ui.painter().rect(rect, theme::ROUNDING, fill, edge, egui::StrokeKind::Inside);
    let center = rect.left_center() + vec2(2.25 * GRID, 0.0);
    paint_lock(ui, center, color.warn);
    let place = Rect::from_min_max(rect.min + vec2(4.0 * GRID, 0.0), rect.max - vec2(GRID, 0.0));
    let layout = |size| {
        let font = theme::bold(size);
        ui.painter().layout(reason.to_owned(), font, color.warn, place.width())
    };
    let mut galley = layout(size::SMALL);
    if galley.rows.len() > 1 {
        galley = layout(size::CAPTION);
    }
    let text = Align2::LEFT_CENTER.align_size_within_rect(galley.size(), place);
    ui.painter().galley(text.min, galley, color.warn);
    let label = widgets::label(ui, text, reason);
    widgets::announce(ui, &label);
}

/// A padlock.
fn paint_lock(ui: &Ui, center: egui::Pos2, ink: egui::Color32) {
    let painter = ui.painter();
    let body = Rect::from_center_size(center + vec2(0.0, 3.0), vec2(12.0, 9.0));
    painter.rect_filled(body, 2.0, ink);
    let bow: Vec<egui::Pos2> = (0..=12)
        .map(|step| std::f32::consts::PI * (1.0 + step as f32 / 12.0))
        .map(|angle| center + vec2(0.0, -1.5) + egui::Vec2::angled(angle) * 4.0)
        .collect();
    painter.line(bow, egui::Stroke::new(2.0, ink));
}

/// Shows the failed sounds.
fn show_failures(ui: &mut Ui, rect: Rect, state: &State) {
    let failed: Vec<String> = state
        .bank
        .iter()
        .filter_map(|sound| match &sound.readiness {
            Readiness::Failed { reason } => Some(format!("{}: {reason}", sound.info.name)),
            Readiness::Loading | Readiness::Ready | Readiness::OnFirstUse => None,
        })
        .collect();
    let color = theme::palette(ui);
    let text = match failed.as_slice() {
        [] => return,
        [only] => only.clone(),
        several => format!("{} sounds are not playable here", several.len()),
    };
    let runs = [(text.as_str(), theme::regular(size::SMALL), color.bad)];
    widgets::line(ui, rect, Align2::RIGHT_CENTER, &runs).on_hover_text(failed.join("\n"));
}
