//! What the window keeps from one frame to the next.

use super::{
    address_editor::AddressEditor,
    bank::BankMemory,
    hand::Hand,
    join::JoinPanel,
    meter::Needles,
    room::{Part, RoomMemory, Wishes},
    streams::Streams,
    view::View,
    widgets::Drafts,
};
use crate::action::Action;

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
    /// What the view *Room* keeps.
    pub(super) room: RoomMemory,
    /// How others join, while that is shown.
    pub(super) join: Option<JoinPanel>,
    /// What is kept about sounds that are brought and changed.
    pub(super) bank: BankMemory,
    /// Whether the relay was asked to tell about all machines.
    pub(super) watches: bool,
}

impl Memory {
    /// Whether something is open that Esc closes, or was a field at the end of the last frame.
    pub(super) fn is_something_open(&self) -> bool {
        self.address.is_some()
            || self.join.is_some()
            || self.room.question.is_some()
            || self.was_typing
    }

    /// An action was dropped: what the window takes to be asked of the session is not.
    pub fn dropped(&mut self, action: &Action) {
        match action {
            // It is asked again in the next frame, if it is still wanted.
            Action::Watch(room) => self.watches = !room,
            Action::Assign(_) | Action::AssignEach(_) => self.room.wishes = Wishes::default(),
            _ => {}
        }
    }

    /// Shows the receipts of the last bangs.
    pub(super) fn show_receipts(&mut self) {
        self.view = View::Room;
        self.room.part = Part::Receipts;
    }
}

/// A press on a pad.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hit {
    /// The sound.
    pub(super) sound: String,
    /// How hard, in dB.
    pub(super) velocity_db: f64,
}
