//! The plan of the room: each machine at its place, to be dragged or moved with arrow keys. Machines without a
//! place wait in a tray below.

mod geometry;
mod token;

use downbeat_protocol::Place;
use egui::{
    Align2, EventFilter, Id, Key as KeyboardKey, Rect, Response, Stroke, StrokeKind, Ui, Vec2,
    pos2, vec2,
};

use self::token::Look;
use super::{
    Context, change,
    listing::words,
    machine::{Key, Machine},
    memory::{Drag, RoomMemory},
};
use crate::{
    action::Action,
    ui::{
        theme::{self, GRID, ROUNDING, size},
        widgets,
    },
};

const TRAY_CAPTION: f32 = 3.5 * GRID;
/// Rows of tokens in the tray that are in sight; the others are scrolled to.
const TRAY_ROWS: usize = 2;
const FRONT: f32 = 3.0 * GRID;
/// The steps of an arrow key with Shift.
const LARGE_STEP: f32 = 4.0;

/// The places of the plan.
struct Plan {
    /// Where the middles of tokens may be.
    area: Rect,
    token: Vec2,
    has_names: bool,
}

/// Shows the plan.
pub(super) fn show(
    ui: &mut Ui,
    rect: Rect,
    context: &Context<'_>,
    memory: &mut RoomMemory,
) -> Vec<Action> {
    let shown =
        |machine: &Machine<'_>| memory.wishes.place(machine.key, machine.place, context.now);
    let mut placed = Vec::new();
    let mut waiting = Vec::new();
    for machine in context.machines {
        match shown(machine) {
            Some(place) => placed.push((machine, place)),
            None => waiting.push(machine),
        }
    }
    let tray_height = tray_height(rect.width(), waiting.len());
    let room = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - tray_height));
    let (token, has_names) = geometry::token_size(room.size(), context.machines.len());
    let below = if has_names { 2.5 * GRID } else { 0.0 };
    let area = Rect::from_min_max(
        room.min + vec2(token.x, FRONT + token.y),
        room.max - vec2(token.x, token.y + below),
    );
    let plan = Plan { area, token, has_names };
    paint_room(ui, room);

    let mut actions = Vec::new();
    let words = words(&memory.search);
    for (machine, place) in &placed {
        let look = look(machine, &words, context, memory, plan.has_names);
        let middle = dragged_to(ui, &plan, machine.key, *place, memory, &placed);
        let response = token::show(ui, middle, plan.token, machine, &look);
        let keyed = keys(ui, &response).map(|steps| geometry::moved(*place, steps));
        actions.extend(interact(ui, &response, middle, machine, memory, &plan, &placed, context));
        if let Some(place) = keyed {
            actions.extend(put(machine, place, memory, context));
        }
    }
    if tray_height > 0.0 {
        let tray = Rect::from_min_max(pos2(rect.left(), room.bottom() + GRID), rect.max);
        let occupied: Vec<Place> = placed.iter().map(|(_, place)| *place).collect();
        actions.extend(show_tray(ui, tray, &waiting, &occupied, &plan, context, memory));
    }
    if placed.is_empty() && memory.drag.is_none() {
        let color = theme::palette(ui);
        let text =
            if waiting.is_empty() { "No machine yet" } else { "Drag machines to their places" };
        let runs = [(text, theme::regular(size::BODY), color.muted)];
        widgets::line(ui, room, Align2::CENTER_CENTER, &runs);
    }
    actions
}

/// How a machine's token looks.
fn look(
    machine: &Machine<'_>,
    words: &[String],
    context: &Context<'_>,
    memory: &RoomMemory,
    has_name: bool,
) -> Look {
    let is_dragged = memory.drag.is_some_and(|drag| drag.key == machine.key);
    Look {
        is_selected: memory.selection.contains(machine.key),
        is_own: machine.client.is_some_and(|one| context.state.own_id() == Some(one.id)),
        is_dimmed: !machine.is_found(words),
        is_dragged,
        has_name: has_name || is_dragged,
    }
}

/// Where a token is shown: at its place, or under the pointer while it is dragged.
fn dragged_to(
    ui: &Ui,
    plan: &Plan,
    key: Key,
    place: Place,
    memory: &RoomMemory,
    placed: &[(&Machine<'_>, Place)],
) -> egui::Pos2 {
    let here = geometry::position(plan.area, place);
    let Some(drag) = memory.drag else { return here };
    if key != drag.key && !memory.selection.contains(key) {
        return here;
    }
    let Some(way) = way(ui, plan, &drag, placed) else { return here };
    here + way
}

/// The way of the drag, from the place of the token that the pointer holds; none if that has no place.
fn way(ui: &Ui, plan: &Plan, drag: &Drag, placed: &[(&Machine<'_>, Place)]) -> Option<Vec2> {
    let pointer = ui.input(|input| input.pointer.latest_pos())?;
    let (_, place) = placed.iter().find(|(machine, _)| machine.key == drag.key)?;
    Some(pointer + drag.grip - geometry::position(plan.area, *place))
}

/// Selects, drags and drops a token.
#[allow(clippy::too_many_arguments, reason = "a token knows all of the plan")]
fn interact(
    ui: &Ui,
    response: &Response,
    middle: egui::Pos2,
    machine: &Machine<'_>,
    memory: &mut RoomMemory,
    plan: &Plan,
    placed: &[(&Machine<'_>, Place)],
    context: &Context<'_>,
) -> Vec<Action> {
    let mut actions = Vec::new();
    if response.clicked() {
        let modifiers = ui.input(|input| input.modifiers);
        let order: Vec<Key> = placed.iter().map(|(machine, _)| machine.key).collect();
        memory.selection.press(machine.key, &order, modifiers);
    }
    if response.drag_started() {
        if !memory.selection.contains(machine.key) {
            memory.selection.select_only(machine.key);
        }
        // The pointer has moved a little since the press.
        let pressed = ui.input(|input| input.pointer.press_origin());
        let grip = pressed.map_or(Vec2::ZERO, |pressed| middle - pressed);
        memory.drag = Some(Drag { key: machine.key, grip });
    }
    if response.drag_stopped()
        && let Some(drag) = memory.drag.take()
        && let Some(pointer) = ui.input(|input| input.pointer.latest_pos())
    {
        let way = way(ui, plan, &drag, placed);
        let is_moved = |key: Key| key == machine.key || memory.selection.contains(key);
        match way {
            Some(way) => {
                let moved = placed.iter().filter(|(machine, _)| is_moved(machine.key));
                let moved = moved.map(|(machine, place)| {
                    let target = geometry::position(plan.area, *place) + way;
                    (*machine, geometry::place(plan.area, target))
                });
                let moved = moved.collect();
                actions.extend(put_each(moved, memory, context));
            }
            // From the tray.
            None if plan.area.expand2(plan.token).contains(pointer + drag.grip) => {
                let place = geometry::place(plan.area, pointer + drag.grip);
                actions.extend(put(machine, place, memory, context));
            }
            None => {}
        }
    }
    actions
}

/// Puts a machine at a place.
fn put(
    machine: &Machine<'_>,
    place: Place,
    memory: &mut RoomMemory,
    context: &Context<'_>,
) -> Option<Action> {
    put_each(vec![(machine, place)], memory, context)
}

/// Puts machines at their places.
fn put_each(
    mut places: Vec<(&Machine<'_>, Place)>,
    memory: &mut RoomMemory,
    context: &Context<'_>,
) -> Option<Action> {
    let shown =
        |machine: &Machine<'_>| memory.wishes.place(machine.key, machine.place, context.now);
    places.retain(|(machine, place)| shown(machine) != Some(*place));
    let request = |(machine, place): (&Machine<'_>, Place)| {
        memory.wishes.set_place(machine.key, place, context.now);
        change::request([machine], |request| request.place = Some(place))
    };
    change::assign_each(places.into_iter().filter_map(request).collect())
}

/// The steps of the arrow keys on a token that has the focus.
fn keys(ui: &Ui, response: &Response) -> Option<Vec2> {
    if !response.has_focus() {
        return None;
    }
    let filter =
        EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let steps = ui.input(|input| {
        let count = |key| input.num_presses(key) as f32;
        let step = if input.modifiers.shift { LARGE_STEP } else { 1.0 };
        step * vec2(
            count(KeyboardKey::ArrowRight) - count(KeyboardKey::ArrowLeft),
            count(KeyboardKey::ArrowDown) - count(KeyboardKey::ArrowUp),
        )
    });
    (steps != Vec2::ZERO).then_some(steps)
}

/// The floor, with the front of the room.
fn paint_room(ui: &mut Ui, room: Rect) {
    let color = theme::palette(ui);
    let edge = Stroke::new(1.0, color.line);
    ui.painter().rect(room, ROUNDING, color.panel, edge, StrokeKind::Inside);
    let width = (room.width() * 0.4).min(280.0);
    let front = Rect::from_center_size(
        pos2(room.center().x, room.top() + FRONT / 2.0),
        vec2(width, FRONT - 6.0),
    );
    ui.painter().rect(front, 6.0, color.raised, edge, StrokeKind::Inside);
    widgets::caption(ui, front, Align2::CENTER_CENTER, "FRONT");
}

fn tray_columns(width: f32) -> usize {
    ((width - 2.0 * GRID) / token::TRAY.x).floor().max(1.0) as usize
}

fn tray_height(width: f32, waiting: usize) -> f32 {
    if waiting == 0 {
        return 0.0;
    }
    let rows = waiting.div_ceil(tray_columns(width)).min(TRAY_ROWS);
    GRID + TRAY_CAPTION + rows as f32 * token::TRAY.y + GRID
}

/// The machines without a place.
fn show_tray(
    ui: &mut Ui,
    rect: Rect,
    waiting: &[&Machine<'_>],
    taken: &[Place],
    plan: &Plan,
    context: &Context<'_>,
    memory: &mut RoomMemory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let color = theme::palette(ui);
    ui.painter().add(widgets::sheet(color, rect));
    let inside = rect.shrink2(vec2(GRID, 0.0));
    let (caption, tokens) = inside.split_top_bottom_at_y(inside.top() + TRAY_CAPTION);
    let caption = caption.shrink2(vec2(4.0, 0.0));
    let title = widgets::caption(ui, caption, Align2::LEFT_CENTER, "NO PLACE YET");
    let beside = Rect::from_min_max(pos2(title.rect.right() + GRID, caption.top()), caption.max);
    let count = waiting.len().to_string();
    let runs = [(count.as_str(), theme::regular(size::SMALL), color.muted)];
    widgets::line(ui, beside, Align2::LEFT_CENTER, &runs);
    let button = Rect::from_min_max(
        pos2(caption.right() - 15.0 * GRID, caption.top() + 4.0),
        pos2(caption.right(), caption.bottom()),
    );
    let hover = "Place these in rows, by seat and by name";
    let is_all = widgets::text_button(ui, button, "Place in rows", hover);

    let words = words(&memory.search);
    let columns = tray_columns(rect.width());
    let mut keyed = None;
    widgets::scrolling(ui, "tray", tokens, |ui| {
        let rows = waiting.len().div_ceil(columns);
        let size = vec2(ui.available_width(), rows as f32 * token::TRAY.y);
        let area = ui.allocate_space(size).1;
        for (index, machine) in waiting.iter().enumerate() {
            let cell = vec2((index % columns) as f32, (index / columns) as f32) * token::TRAY;
            let home = area.min + cell + vec2(token::TRAY.x / 2.0, GRID + plan.token.y / 2.0);
            if !ui.clip_rect().expand(token::TRAY.y).contains(home) {
                continue;
            }
            let look = look(machine, &words, context, memory, true);
            let response = token::show(ui, home, plan.token, machine, &look);
            if keys(ui, &response).is_some() {
                keyed = Some(*machine);
            }
            actions.extend(interact(ui, &response, home, machine, memory, plan, &[], context));
        }
    });
    if let Some(drag) = memory.drag
        && let Some(machine) = waiting.iter().find(|machine| machine.key == drag.key)
        && let Some(pointer) = ui.input(|input| input.pointer.latest_pos())
    {
        // It leaves the tray: what is scrolled would be cut off.
        let look = look(machine, &words, context, memory, true);
        token::paint_moving(ui, pointer + drag.grip, plan.token, machine, &look);
    }
    if let Some(machine) = keyed {
        let place = geometry::free_places(1, taken)[0];
        actions.extend(put(machine, place, memory, context));
        ui.memory_mut(|memory| memory.request_focus(token_id(machine.key)));
    }
    if is_all {
        let mut sorted = waiting.to_vec();
        sorted
            .sort_by_key(|machine| (machine.seat.unwrap_or(u16::MAX), machine.name.to_lowercase()));
        let places = geometry::free_places(sorted.len(), taken);
        let put = sorted.into_iter().zip(places).collect();
        actions.extend(put_each(put, memory, context));
    }
    actions
}

/// The id of a machine's token.
fn token_id(key: Key) -> Id {
    Id::unique(("token", key))
}
