//! What the window keeps from one frame to the next.

use super::{address_editor::AddressEditor, meter::Needles};

/// What the window keeps from one frame to the next. It concerns the display only.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The address editor, while it is open.
    pub(super) address: Option<AddressEditor>,
    /// The positions of the meter's needles.
    pub(super) needles: Needles,
}
