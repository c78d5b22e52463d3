//! What the window's tests share: a rasteriser, a room to show, and a window to press.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod raster;
pub mod rooms;

use downbeat::{
    action::Action,
    state::State,
    time::LocalTime,
    ui::{self, Memory, theme},
};
use egui::Vec2;
use egui_kittest::{Harness, HarnessBuilder};

/// The window under test: what it shows, when, and what was asked for.
pub struct Window {
    pub state: State,
    pub now: LocalTime,
    pub memory: Memory,
    pub actions: Vec<Action>,
}

/// A window of the size it is first opened at.
pub fn open(state: State) -> Harness<'static, Window> {
    open_sized(state, ui::FIRST_SIZE, 1.0)
}

/// A window of this size, in points, at this many pixels a point.
pub fn open_sized(state: State, size: Vec2, scale: f32) -> Harness<'static, Window> {
    let window = Window { state, now: rooms::NOW, memory: Memory::default(), actions: Vec::new() };
    HarnessBuilder::default()
        .with_size(size)
        .with_pixels_per_point(scale)
        .with_render_cursor(false)
        .renderer(raster::Rasteriser::default())
        .with_context_setup(theme::install)
        .build_ui_state(
            |ui, window: &mut Window| {
                let actions = ui::show(ui, &window.state, window.now, &mut window.memory);
                for action in &actions {
                    window.state.pick(action);
                }
                window.actions.extend(actions);
            },
            window,
        )
}
