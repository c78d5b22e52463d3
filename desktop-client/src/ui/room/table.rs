//! The table of machines. Only the rows in sight are laid out, so that a thousand machines cost as much as a
//! screenful.

use egui::{Align2, EventFilter, Id, Key as KeyboardKey, Rect, Ui, pos2, vec2};

use super::{
    columns::{self, Placed},
    listing::{Column, Order},
    machine::{Key, Machine},
    memory::RoomMemory,
    row::{self, Looks},
};
use crate::{
    state::State,
    ui::{
        theme::{self, GRID, PAD, size},
        widgets,
    },
};

const HEADER: f32 = 3.5 * GRID;
/// Between a row's edge and its first column.
const MARGIN: f32 = 1.5 * GRID;

/// Shows the machines as they are listed.
pub(super) fn show(
    ui: &mut Ui,
    rect: Rect,
    listed: &[Machine<'_>],
    state: &State,
    is_wide: bool,
    memory: &mut RoomMemory,
) {
    let columns = columns::columns(rect.width() - 2.0 * MARGIN);
    let mut below = rect;
    if is_wide {
        let (header, rows) = rect.split_top_bottom_at_y(rect.top() + HEADER);
        show_header(ui, header, &columns, &mut memory.order);
        below = Rect::from_min_max(rows.min + vec2(0.0, 4.0), rows.max);
    }
    if listed.is_empty() {
        return show_empty(ui, below, memory);
    }
    let order: Vec<Key> = listed.iter().map(|machine| machine.key).collect();
    let target = step(ui, &order, memory);
    let tops = tops(listed, is_wide);
    let height = tops.last().copied().unwrap_or(0.0);
    widgets::scrolling(ui, "machines", below, |ui| {
        let area = ui.allocate_space(vec2(ui.available_width(), height)).1;
        let place = |index: usize| {
            Rect::from_min_max(
                pos2(area.left(), area.top() + tops[index]),
                pos2(area.right(), area.top() + tops[index + 1] - row::GAP),
            )
        };
        if let Some(target) = target
            && let Some(index) = order.iter().position(|key| *key == target)
        {
            ui.scroll_to_rect(place(index).expand2(vec2(0.0, row::GAP)), None);
        }
        let clip = ui.clip_rect();
        for index in in_sight(&tops, clip.top() - area.top(), clip.bottom() - area.top()) {
            let looks = Looks {
                columns: &columns,
                margin: MARGIN,
                is_wide,
                is_selected: memory.selection.contains(order[index]),
                is_own: listed[index].client.is_some_and(|one| state.own_id() == Some(one.id)),
                sounds: state.bank.len(),
            };
            let response = row::show(ui, place(index), &listed[index], &looks);
            if response.has_focus() {
                // Arrows go from row to row, as they do without the focus.
                let filter = EventFilter { vertical_arrows: true, ..EventFilter::default() };
                ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
                if let Some(target) = target.filter(|target| *target != order[index]) {
                    ui.memory_mut(|memory| memory.request_focus(row_id(target)));
                }
            }
            if response.clicked() {
                let modifiers = ui.input(|input| input.modifiers);
                memory.selection.press(order[index], &order, modifiers);
            }
        }
    });
}

/// The id of a machine's row.
pub(super) fn row_id(key: Key) -> Id {
    Id::unique(("machine", key))
}

/// Goes up or down in the list with the arrow keys. Returns where that is.
fn step(ui: &Ui, order: &[Key], memory: &mut RoomMemory) -> Option<Key> {
    let focus = ui.memory(egui::Memory::focused);
    let is_here = focus.is_none_or(|id| order.iter().any(|key| row_id(*key) == id));
    if !is_here || egui::Popup::is_any_open(ui.ctx()) {
        return None;
    }
    let (down, up, modifiers) = ui.input(|input| {
        let presses = |key| input.num_presses(key);
        (presses(KeyboardKey::ArrowDown), presses(KeyboardKey::ArrowUp), input.modifiers)
    });
    let mut target = None;
    for is_down in std::iter::repeat_n(true, down).chain(std::iter::repeat_n(false, up)) {
        target = memory.selection.step(is_down, order, modifiers);
    }
    target
}

/// Where each row begins, and where the last one ends.
fn tops(listed: &[Machine<'_>], is_wide: bool) -> Vec<f32> {
    let mut top = 0.0;
    let mut tops = Vec::with_capacity(listed.len() + 1);
    for machine in listed {
        tops.push(top);
        top += row::height(machine, is_wide) + row::GAP;
    }
    tops.push(top);
    tops
}

/// The rows between two heights, and one more at either end, so that Tab can go there.
fn in_sight(tops: &[f32], from: f32, to: f32) -> std::ops::Range<usize> {
    let rows = tops.len() - 1;
    let first = tops[1..].partition_point(|bottom| *bottom < from).saturating_sub(1);
    let last = tops[..rows].partition_point(|top| *top <= to).saturating_add(1).min(rows);
    first.min(last)..last
}

fn show_header(ui: &mut Ui, rect: Rect, columns: &[Placed], order: &mut Order) {
    let color = theme::palette(ui);
    for Placed { column, left, width } in columns {
        let cell = Rect::from_min_size(
            pos2(rect.left() + MARGIN + left, rect.top()),
            vec2(*width, rect.height()),
        );
        let is_current = order.column == *column;
        let id = Id::unique(("sort", column.title()));
        let name = format!("Sort by {}", column.title().to_lowercase());
        let response = widgets::pressable(ui, cell.expand2(vec2(4.0, 0.0)), id, &name, is_current);
        let is_lit = is_current || response.hovered() || response.has_focus();
        let ink = if is_lit { color.text } else { color.muted };
        let align =
            if columns::is_number(*column) { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
        let text = match (is_current, order.is_reversed) {
            (false, _) => column.title().to_owned(),
            (true, false) => format!("{} ↓", column.title()),
            (true, true) => format!("{} ↑", column.title()),
        };
        let runs = [(text.as_str(), theme::bold(size::CAPTION), ink)];
        widgets::ink(ui, cell, align, &runs);
        if response.on_hover_text(column.order()).clicked() {
            let is_reversed = is_current && !order.is_reversed;
            *order = Order { column: *column, is_reversed };
        }
    }
    ui.painter().hline(rect.x_range(), rect.bottom(), egui::Stroke::new(1.0, color.line));
}

fn show_empty(ui: &mut Ui, rect: Rect, memory: &RoomMemory) {
    let color = theme::palette(ui);
    let row = Rect::from_min_size(rect.min, vec2(rect.width(), 9.0 * GRID));
    ui.painter().rect_filled(row, theme::ROUNDING, color.panel);
    let text = if memory.search.is_empty() && memory.order.column == Column::Status {
        "No machine of that kind"
    } else {
        "No machine is found"
    };
    let runs = [(text, theme::regular(size::BODY), color.muted)];
    widgets::line(ui, row.shrink(PAD), Align2::CENTER_CENTER, &runs);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_in_sight_are_laid_out() {
        let tops: Vec<f32> = (0..=1000).map(|row| row as f32 * 40.0).collect();
        assert_eq!(in_sight(&tops, 0.0, 400.0), 0..12);
        assert_eq!(in_sight(&tops, 20_000.0, 20_400.0), 498..512);
        assert_eq!(in_sight(&tops, 39_600.0, 40_000.0), 988..1000);
        assert!(in_sight(&tops, 1e6, 1e6 + 400.0).len() <= 1);
        assert_eq!(in_sight(&[0.0], 0.0, 400.0), 0..0);
    }
}
