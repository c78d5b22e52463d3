//! What the window keeps about sounds that are brought and changed.

use crate::{state::State, time::LocalTime, ui::widgets::Drafts};

/// What the window keeps about sounds that are brought and changed.
#[derive(Clone, Debug, Default)]
pub(in crate::ui) struct BankMemory {
    /// Whether a press on a pad edits its sound instead of playing it.
    pub(in crate::ui) is_editing: bool,
    /// The sound that is edited, by its hash.
    pub(in crate::ui) chosen: Option<String>,
    /// The sound whose pad is dragged, by its hash.
    pub(in crate::ui) dragged: Option<String>,
    /// The gain that the hand moves: it is sent once the hand lets go, because everyone is told of the bank.
    pub(super) gain_db: Option<f64>,
    /// Whether the name of the edited sound has yet to get the keyboard focus.
    pub(super) focuses_name: bool,
    /// Why what was typed last was not taken, for people.
    pub(super) complaint: Option<String>,
    /// What is said for some seconds.
    pub(super) toast: Option<(Toast, LocalTime)>,
    /// Whether the list of uploads is folded.
    pub(super) is_folded: bool,
}

/// What is said for some seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Toast {
    /// A sound was removed, once the relay has done it.
    Removed { name: String, hash: String },
    /// Files were dropped and not taken.
    Rejected { reason: &'static str },
}

impl BankMemory {
    /// Whether a press on a pad edits its sound: this machine may still do so.
    pub(in crate::ui) fn edits(&self, state: &State) -> bool {
        self.is_editing && state.is_conductor()
    }

    pub(super) fn say(&mut self, toast: Toast, now: LocalTime) {
        self.toast = Some((toast, now));
    }

    /// Begins to edit this sound.
    pub(in crate::ui) fn edit(&mut self, hash: &str) {
        self.is_editing = true;
        self.choose(hash);
    }

    /// Edits this sound next.
    pub(in crate::ui) fn choose(&mut self, hash: &str) {
        self.chosen = Some(hash.to_owned());
        self.gain_db = None;
        self.complaint = None;
    }

    /// Begins to edit, or ends it.
    pub(in crate::ui) fn toggle_editing(&mut self) {
        self.is_editing = !self.is_editing;
        self.chosen = None;
        self.dragged = None;
        self.complaint = None;
    }
}

/// What editing a sound changes.
#[derive(Debug)]
pub(in crate::ui) struct Kept<'a> {
    pub(in crate::ui) bank: &'a mut BankMemory,
    /// The texts that are being edited.
    pub(in crate::ui) drafts: &'a mut Drafts,
}
