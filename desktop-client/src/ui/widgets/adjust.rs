//! What faders and knobs have in common: arrow keys, requests of assistive technology, reset by a double
//! click.

use egui::{
    EventFilter, Key, Response, Ui, WidgetInfo,
    accesskit::{Action as Request, ActionData},
};

use super::mapping::Mapping;

/// A number that is set by a way from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(in crate::ui) struct Adjustable<'a> {
    /// Its name.
    pub(in crate::ui) name: &'a str,
    /// The value.
    pub(in crate::ui) value: f64,
    /// From the way to the value.
    pub(in crate::ui) mapping: Mapping,
    /// The way of an arrow key.
    pub(in crate::ui) step: f64,
    /// The value of a double click, if it has one.
    pub(in crate::ui) reset: Option<f64>,
}

impl Adjustable<'_> {
    /// The position of the value.
    pub(super) fn position(&self) -> f64 {
        self.mapping.position(self.value)
    }

    /// Exposes the number to assistive technology.
    pub(super) fn announce(&self, ui: &Ui, response: &Response) {
        let announced = |value| self.mapping.announced(value);
        let value = announced(self.value);
        response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), value, self.name));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_min_numeric_value(announced(self.mapping.value(0.0)));
            node.set_max_numeric_value(announced(self.mapping.value(1.0)));
            node.set_numeric_value_step(self.step * 100.0);
            for request in [Request::SetValue, Request::Increment, Request::Decrement] {
                node.add_action(request);
            }
        });
    }

    /// The position after what was asked for other than by the pointer's way, which gave `wanted`.
    pub(super) fn adjusted(&self, ui: &Ui, response: &Response, wanted: f64) -> f64 {
        let mut wanted = wanted + self.step * steps(ui, response);
        if let Some(value) = requested(ui, response) {
            wanted = self.mapping.position(self.mapping.requested(value));
        }
        if let Some(reset) = self.reset
            && response.double_clicked()
        {
            wanted = self.mapping.position(reset);
        }
        wanted.clamp(0.0, 1.0)
    }
}

/// The steps that the keyboard or assistive technology requested.
fn steps(ui: &Ui, response: &Response) -> f64 {
    let mut steps = 0.0;
    if response.has_focus() {
        // Arrows move the cap rather than the focus.
        let filter = EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        ui.input(|input| {
            let count = |key| input.num_presses(key) as f64;
            steps += count(Key::ArrowRight) + count(Key::ArrowUp);
            steps -= count(Key::ArrowLeft) + count(Key::ArrowDown);
        });
    }
    ui.input(|input| {
        let asked = |request| input.num_accesskit_action_requests(response.id, request) as f64;
        steps + asked(Request::Increment) - asked(Request::Decrement)
    })
}

/// The value that assistive technology requested.
fn requested(ui: &Ui, response: &Response) -> Option<f64> {
    ui.input(|input| {
        let value = |data: &Option<ActionData>| match data {
            Some(ActionData::NumericValue(value)) => Some(*value),
            _ => None,
        };
        input
            .accesskit_action_requests(response.id, Request::SetValue)
            .filter_map(|request| value(&request.data))
            .last()
    })
}
