//! Whether the relay is to tell about all machines: while something is shown that needs it. This is decided here
//! and nowhere else.

use super::{memory::Memory, view::View};
use crate::{action::Action, state::State};

/// Asks for it, or gives it up, when that has changed. To be called in every frame.
pub(super) fn update(state: &State, memory: &mut Memory) -> Option<Action> {
    // The view Play shows the last receipt, and uploads on how many machines they are ready.
    let is_shown = matches!(memory.view, View::Play | View::Room)
        || memory.join.is_some()
        || !state.uploads.is_empty();
    let wanted = state.is_conductor() && is_shown;
    (memory.watches != wanted).then(|| {
        memory.watches = wanted;
        Action::Watch(wanted)
    })
}
