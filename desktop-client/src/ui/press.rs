//! Presses of the pointer and of fingers. An instrument sounds on press, not on release: a release is too
//! late for a musician.

use egui::{Event, PointerButton, Pos2, TouchPhase, Ui};

/// Where the person pressed on this layer since the last frame.
///
/// The system reports the first finger as the pointer too; that is one press.
pub(super) fn presses(ui: &Ui) -> Vec<Pos2> {
    let mut presses: Vec<Pos2> = Vec::new();
    let mut touches = Vec::new();
    ui.input(|input| {
        for event in &input.events {
            match event {
                Event::PointerButton {
                    pos, button: PointerButton::Primary, pressed: true, ..
                } => presses.push(*pos),
                Event::Touch { pos, phase: TouchPhase::Start, .. } => touches.push(*pos),
                _ => {}
            }
        }
    });
    touches.retain(|touch| presses.iter().all(|press| press.distance(*touch) > 1.0));
    presses.extend(touches);
    // A menu that is open over what is pressed gets the press.
    presses.retain(|position| {
        let layer = ui.ctx().layer_id_at(*position);
        layer.is_none_or(|layer| layer == ui.layer_id()) && ui.clip_rect().contains(*position)
    });
    presses
}
