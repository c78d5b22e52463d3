//! What the window keeps from one frame to the next.

use super::{
    address_editor::AddressEditor, hand::Hand, meter::Needles, room_order::RoomOrder,
    streams::Streams, view::View, widgets::Drafts,
};

/// What the window keeps from one frame to the next. It concerns the display, and what is pressed next.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The view that is shown.
    pub(super) view: View,
    /// The address editor, while it is open.
    pub(super) address: Option<AddressEditor>,
    /// The positions of the meter's needles.
    pub(super) needles: Needles,
    /// What is searched for among the pads.
    pub(super) search: String,
    /// Whether the search has yet to get the keyboard focus.
    pub(super) focuses_search: bool,
    /// How sounds are played by hand.
    pub(super) hand: Hand,
    /// The last press on a pad.
    pub(super) hit: Option<Hit>,
    /// Whether a field had the keyboard focus at the end of the last frame.
    pub(super) was_typing: bool,
    /// The texts that are being edited.
    pub(super) drafts: Drafts,
    /// The variables that are being moved.
    pub(super) streams: Streams,
    /// The order of the machines in the view *Room*.
    pub(super) room_order: RoomOrder,
}

/// A press on a pad.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hit {
    /// The sound.
    pub(super) sound: String,
    /// How hard, in dB.
    pub(super) velocity_db: f64,
}
