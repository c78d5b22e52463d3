//! The view *Play*: pads, how they are played, the bang, the variables.

use egui::{Align2, Id, Rect, TextEdit, Ui, pos2, vec2};

use super::{
    bang, hand_panel,
    layout::{Layout, PlayPlaces},
    memory::Memory,
    output, pads, room, target_panel,
    theme::{self, GRID, PAD, size},
    variables, widgets,
};
use crate::{
    action::Action,
    state::{Readiness, State},
    time::LocalTime,
};

/// The row of the search and the target, and the caption below it.
const TOOLS: f32 = theme::SMALL_CONTROL;
const CAPTION: f32 = 2.0 * GRID;

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
    show_tools(ui, tools, state, memory);
    let rest = Rect::from_min_max(rest.min + vec2(0.0, GRID), rest.max);
    match side {
        Some(side) => {
            widgets::scrolling(ui, "pads", rest, |ui| {
                actions.extend(pads::show(ui, rest.height(), state, now, memory));
            });
            hand_panel::show(ui, side.hand, state, &mut memory.hand);
            widgets::scrolling(ui, "side", side.rest, |ui| {
                actions.extend(variables::show(ui, state, now, memory));
                room::show_list(ui, state);
            });
        }
        None => widgets::scrolling(ui, "below", rest, |ui| {
            actions.extend(pads::show(ui, rest.height() - PAD, state, now, memory));
            let hand = widgets::strip(ui, hand_panel::HEIGHT);
            hand_panel::show(ui, hand, state, &mut memory.hand);
            actions.extend(variables::show(ui, state, now, memory));
            room::show_list(ui, state);
        }),
    }
    // Over everything else.
    actions.extend(bang::show_obstacle(ui, &bang, state, memory));
    actions
}

/// Search and target, and below them what the pads are, and which of them fail.
fn show_tools(ui: &mut Ui, rect: Rect, state: &State, memory: &mut Memory) {
    let row = Rect::from_min_size(rect.min, vec2(rect.width(), TOOLS));
    let width = (rect.width() * 0.4).min(30.0 * GRID).round();
    let (search, target) = row.split_left_right_at_x(row.left() + width);
    show_search(ui, search, memory);
    let target = Rect::from_min_max(target.min + vec2(GRID, 0.0), target.max);
    target_panel::show(ui, target, state, &mut memory.hand.target);

    let below = Rect::from_min_max(pos2(rect.left(), rect.bottom() - CAPTION), rect.max);
    let caption = widgets::caption(ui, below, Align2::LEFT_CENTER, "PADS");
    let beside = Rect::from_min_max(pos2(caption.rect.right() + GRID, below.top()), below.max);
    let color = theme::palette(ui);
    let count = pads::count(state, &memory.search);
    let runs = [(count.as_str(), theme::regular(size::SMALL), color.muted)];
    let count = widgets::line(ui, beside, Align2::LEFT_CENTER, &runs);
    let others = Rect::from_min_max(pos2(count.rect.right() + PAD, below.top()), below.max);
    show_failures(ui, others, state);
}

fn show_search(ui: &mut Ui, rect: Rect, memory: &mut Memory) {
    let color = theme::palette(ui);
    let edit = TextEdit::singleline(&mut memory.search)
        .id(Id::unique("search"))
        .font(theme::regular(size::SMALL))
        .hint_text("Search  ( / )")
        .margin(egui::Margin { left: 34, right: 8, top: 8, bottom: 8 })
        .align(Align2::LEFT_CENTER)
        .desired_width(f32::INFINITY)
        .min_size(vec2(0.0, rect.height()));
    let response = ui.place(rect, edit).accessible_name("Search sounds");
    if std::mem::take(&mut memory.focuses_search) {
        response.request_focus();
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Escape)) {
        memory.search.clear();
    }
    let center = rect.left_center() + vec2(17.0, -1.5);
    let stroke = egui::Stroke::new(1.75, color.muted);
    ui.painter().circle_stroke(center, 5.0, stroke);
    ui.painter().line_segment([center + vec2(3.7, 3.7), center + vec2(8.0, 8.0)], stroke);
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
