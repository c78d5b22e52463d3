//! What the view *Room* keeps from one frame to the next.

use std::collections::BTreeSet;

use egui::Vec2;

use super::{
    listing::{Filter, Order},
    machine::Key,
    selection::Selection,
    wishes::Wishes,
};
use crate::ui::{command::Command, join::JoinPanel, widgets::Drafts};

/// The parts of the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ui) enum Part {
    /// The table of machines.
    #[default]
    List,
    /// Their places in the room.
    Plan,
    /// The last bangs, and who sounded them.
    Receipts,
}

impl Part {
    pub(in crate::ui) const ALL: [Self; 3] = [Self::List, Self::Plan, Self::Receipts];

    pub(in crate::ui) fn text(self) -> &'static str {
        match self {
            Self::List => "List",
            Self::Plan => "Plan",
            Self::Receipts => "Receipts",
        }
    }
}

/// What is asked before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ui) enum Question {
    /// Whether to forget the selected machines.
    Forget,
    /// Whether this machine gives up its own right to run the room.
    Resign(downbeat_protocol::Rights),
}

/// Machines that are dragged over the plan: all selected ones, by the same way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::ui) struct Drag {
    /// The one that the pointer holds.
    pub(in crate::ui) key: Key,
    /// From the pointer to its middle.
    pub(in crate::ui) grip: Vec2,
}

/// What the view *Room* keeps from one frame to the next.
#[derive(Clone, Debug, Default)]
pub(in crate::ui) struct RoomMemory {
    pub(in crate::ui) part: Part,
    pub(in crate::ui) filter: Filter,
    pub(in crate::ui) order: Order,
    pub(in crate::ui) search: String,
    /// Whether the search has yet to get the keyboard focus.
    pub(in crate::ui) focuses_search: bool,
    /// Whether the name of the selected machine has yet to get it.
    pub(in crate::ui) focuses_name: bool,
    pub(in crate::ui) selection: Selection,
    /// The machines that were selected in the last frame: what is asked and complained about concerns them.
    pub(in crate::ui) last_selection: Selection,
    pub(in crate::ui) wishes: Wishes,
    pub(in crate::ui) question: Option<Question>,
    /// Why what was typed last was not taken, for people.
    pub(in crate::ui) complaint: Option<String>,
    /// The commands whose keys were pressed, to be done once the machines are known.
    pub(in crate::ui) commands: Vec<Command>,
    pub(in crate::ui) drag: Option<Drag>,
    /// The receipts that are expanded, by the number of their trigger; the relay keeps few.
    pub(in crate::ui) open_receipts: BTreeSet<u64>,
    /// Whether, in one column, the panel covers the machines.
    pub(in crate::ui) is_sheet_open: bool,
}

/// What the view changes while it is drawn.
#[derive(Debug)]
pub(in crate::ui) struct Kept<'a> {
    pub(in crate::ui) room: &'a mut RoomMemory,
    /// The texts that are being edited.
    pub(in crate::ui) drafts: &'a mut Drafts,
    /// How others join, while that is shown.
    pub(in crate::ui) join: &'a mut Option<JoinPanel>,
}
