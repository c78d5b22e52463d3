//! Snapshots of the room and of what is over it.

use downbeat::{
    state::State,
    ui::{FIRST_SIZE, View},
};
use egui::Vec2;
use egui_kittest::kittest::Queryable as _;

use crate::{
    check,
    support::{open_sized, rooms, show},
};

fn picture(name: &str, part: &str, state: State, size: Vec2) {
    let mut window = open_sized(state, size, 1.0);
    show(&mut window, View::Room);
    window.get_by_label(part).click();
    window.step();
    window.hover_at(egui::Pos2::ZERO);
    window.step();
    window.step();
    check(&mut window, name);
}

#[test]
fn class_list() {
    picture("class_list", "List", rooms::class(), FIRST_SIZE);
}
