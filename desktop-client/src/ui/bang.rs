//! The bang: the disc, its flash, the last trigger, and why it cannot bang when it cannot.
//!
//! It bangs on press, not on release: a release is too late for a musician.

mod disc;
mod last_trigger;
mod obstacle;

use egui::{
    Id, Key, Pos2, Rect, Response, Sense, Ui, Vec2, WidgetInfo,
    accesskit::{Action as Request, Role},
};

use super::{flash::Flash, layout::BangPlaces, memory::Memory, press, widgets};
use crate::{action::Action, event::Played, state::State, time::LocalTime};

/// Shows the bang. `bangs` says how often the keyboard banged.
pub(super) fn show(
    ui: &mut Ui,
    places: &BangPlaces,
    bangs: usize,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let able = state.can_bang();
    let response = interact(ui, places, state);
    let bright = |played: &Played| (played.at, state.flashes.is_bright(played.at));
    let flash = Flash::at(now, state.recent.iter().map(bright));
    if let Some(next) = flash.next {
        ui.ctx().request_repaint_after(next);
    }
    let pressed = able && is_pressed(ui, &response);
    disc::paint(ui, places, &response, &flash, able, pressed);
    disc::write(ui, places, state, &flash, pressed);
    // In one column it stands beside the disc, where there is less room.
    let rows = if places.last.top() > places.center.y { 2 } else { 1 };
    last_trigger::show(ui, places.last, rows, state, now, memory);

    let bangs = bangs + bangs_on_disc(ui, places, &response);
    (0..bangs).filter_map(|_| bang(state, memory)).collect()
}

/// The bang of the selected sound, if there is a relay to bang at.
pub(super) fn bang(state: &State, memory: &Memory) -> Option<Action> {
    state.can_bang().then(|| Action::Bang(memory.hand.request(state.selected.clone(), 0.0)))
}

/// Shows why it cannot bang, if it cannot.
pub(super) fn show_obstacle(
    ui: &mut Ui,
    places: &BangPlaces,
    state: &State,
    memory: &mut Memory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    obstacle::show(ui, places, state, memory, &mut actions);
    actions
}

fn interact(ui: &mut Ui, places: &BangPlaces, state: &State) -> Response {
    let rect = Rect::from_center_size(places.center, Vec2::splat(2.0 * places.radius));
    let response = ui.interact(rect, Id::unique("bang"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, state.can_bang(), "Bang"));
    match (state.prohibition(), &state.selected) {
        (Some(reason), _) => {
            widgets::describe(ui, &response, reason);
            return response.on_hover_text(reason);
        }
        (None, Some(sound)) => widgets::describe(ui, &response, sound),
        (None, None) => {}
    }
    response
}

/// How often the person banged on the disc since the last frame.
fn bangs_on_disc(ui: &Ui, places: &BangPlaces, response: &Response) -> usize {
    let asked = ui.input(|input| input.num_accesskit_action_requests(response.id, Request::Click));
    let on_disc = |position: &Pos2| position.distance(places.center) <= places.radius;
    asked + press::presses(ui).iter().filter(|position| on_disc(position)).count()
}

/// Whether it is held down.
fn is_pressed(ui: &Ui, response: &Response) -> bool {
    let focus = ui.memory(egui::Memory::focused);
    let has_keyboard = focus.is_none_or(|id| id == response.id);
    let by_key =
        has_keyboard && ui.input(|input| input.key_down(Key::Space) || input.key_down(Key::Enter));
    response.is_pointer_button_down_on() || by_key
}
