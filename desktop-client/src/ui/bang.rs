//! The bang: the disc, its flash, the last trigger, and why it cannot bang when it cannot.
//!
//! It bangs on press, not on release: a release is too late for a musician.

mod disc;
mod flash;
mod last_trigger;
mod obstacle;

use egui::{
    Event, Id, Key, PointerButton, Pos2, Rect, Response, Sense, Ui, Vec2, WidgetInfo,
    accesskit::{Action as Request, Role},
};

use downbeat_protocol::TriggerRequest;

use self::flash::Flash;
use super::{layout::Layout, memory::Memory, widgets};
use crate::{action::Action, event::Played, state::State, time::LocalTime};

/// Shows the bang. `has_keyboard` says whether Space and Enter bang.
pub(super) fn show(
    ui: &mut Ui,
    layout: &Layout,
    state: &State,
    now: LocalTime,
    has_keyboard: bool,
    memory: &mut Memory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let able = state.can_bang();
    let response = interact(ui, layout, state);
    let bright = |played: &Played| (played.at, state.flashes.is_bright(played.at));
    let flash = Flash::at(now, state.recent.iter().map(bright));
    if let Some(next) = flash.next {
        ui.ctx().request_repaint_after(next);
    }

    if able {
        for _ in 0..bangs(ui, layout, &response, has_keyboard) {
            let sound = state.selected.clone();
            actions.push(Action::Bang(TriggerRequest { sound, ..TriggerRequest::default() }));
        }
    }
    let pressed = able && is_pressed(ui, &response, has_keyboard);
    disc::paint(ui, layout, &response, &flash, able, pressed);
    disc::write(ui, layout, state, &flash, pressed);
    last_trigger::show(ui, layout.last, state);
    obstacle::show(ui, layout, state, memory, &mut actions);
    actions
}

fn interact(ui: &mut Ui, layout: &Layout, state: &State) -> Response {
    let rect = Rect::from_center_size(layout.center, Vec2::splat(2.0 * layout.radius));
    let response = ui.interact(rect, Id::unique("bang"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, state.can_bang(), "Bang"));
    if let Some(sound) = &state.selected {
        widgets::describe(ui, &response, sound);
    }
    response
}

/// How often the person banged since the last frame.
fn bangs(ui: &Ui, layout: &Layout, response: &Response, has_keyboard: bool) -> usize {
    let mut presses = Vec::new();
    let mut bangs = 0;
    ui.input(|input| {
        for event in &input.events {
            match event {
                Event::PointerButton {
                    pos, button: PointerButton::Primary, pressed: true, ..
                } => presses.push(*pos),
                Event::Key {
                    key: Key::Space | Key::Enter,
                    pressed: true,
                    repeat: false,
                    modifiers,
                    ..
                } if has_keyboard && !modifiers.command && !modifiers.alt => bangs += 1,
                _ => {}
            }
        }
        bangs += input.num_accesskit_action_requests(response.id, Request::Click);
    });
    let on_disc = |position: &Pos2| {
        // A menu that is open over the disc gets the press.
        let layer = ui.ctx().layer_id_at(*position);
        position.distance(layout.center) <= layout.radius
            && layer.is_none_or(|layer| layer == ui.layer_id())
    };
    bangs + presses.iter().filter(|position| on_disc(position)).count()
}

fn is_pressed(ui: &Ui, response: &Response, has_keyboard: bool) -> bool {
    let by_key =
        has_keyboard && ui.input(|input| input.key_down(Key::Space) || input.key_down(Key::Enter));
    response.is_pointer_button_down_on() || by_key
}
