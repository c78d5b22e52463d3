//! Bringing sounds and changing them: files that are dropped or named, their uploads, and the editing of the
//! bank.
//!
//! The session uploads and the relay edits; here it is asked for, and shown.

mod add;
mod drop_files;
mod editor;
mod memory;
mod removed;
mod toast;
mod uploads;

use downbeat_protocol::{EditSoundsRequest, SoundEdit};
use egui::Ui;

use self::memory::Toast;
pub(super) use self::{
    add::show as show_add,
    editor::show as show_editor,
    memory::{BankMemory, Kept},
    removed::{WIDTH as REMOVED, show as show_removed},
};
use super::{command::Command, layout::Layout};
use crate::{
    action::Action,
    state::{BankSound, State},
    time::LocalTime,
};

/// Shows what is over every view: the overlay of files that hover, the uploads, and the last message.
pub(super) fn show_over(
    ui: &mut Ui,
    layout: &Layout,
    state: &State,
    now: LocalTime,
    memory: &mut BankMemory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    actions.extend(drop_files::show(ui, state, now, memory));
    actions.extend(uploads::show(ui, layout, state, memory));
    actions.extend(toast::show(ui, layout, state, now, memory));
    actions
}

/// Why this machine may not change the bank, for people, if it may not.
pub(super) fn obstacle(state: &State) -> Option<&'static str> {
    match (state.own_id(), state.is_conductor()) {
        (None, _) => Some("There is no relay to change sounds of."),
        (Some(_), false) => Some("Only conductors add and change sounds."),
        (Some(_), true) => None,
    }
}

/// Does what a key asked for while the bank is edited.
pub(super) fn perform(
    command: Command,
    state: &State,
    now: LocalTime,
    memory: &mut BankMemory,
) -> Option<Action> {
    if !state.is_conductor() {
        return None;
    }
    if command == Command::PutBack {
        let newest = state.removed_sounds.first()?;
        return Some(put_back(&newest.hash));
    }
    let (place, sound) = chosen(state, memory)?;
    match command {
        Command::Remove => Some(remove(sound, now, memory)),
        Command::Rename => {
            memory.focuses_name = true;
            None
        }
        Command::MoveEarlier => Some(move_to(sound, place.checked_sub(1)?)),
        Command::MoveLater => (place + 1 < state.bank.len()).then(|| move_to(sound, place + 1)),
        _ => None,
    }
}

/// The sound that is edited, with its place.
fn chosen<'a>(state: &'a State, memory: &BankMemory) -> Option<(usize, &'a BankSound)> {
    let hash = memory.chosen.as_deref().filter(|_| memory.is_editing)?;
    state.bank.iter().enumerate().find(|(_, sound)| sound.info.hash == hash)
}

/// Changes a sound.
fn edit(hash: &str, change: impl FnOnce(&mut SoundEdit)) -> Action {
    let mut edit = SoundEdit { hash: hash.to_owned(), ..SoundEdit::default() };
    change(&mut edit);
    Action::EditSounds(EditSoundsRequest { sounds: vec![edit], ..EditSoundsRequest::default() })
}

/// Moves a sound to a place in the bank.
pub(super) fn move_to(sound: &BankSound, place: usize) -> Action {
    edit(&sound.info.hash, |edit| edit.position = u32::try_from(place).ok())
}

/// Removes a sound, and offers to undo that.
fn remove(sound: &BankSound, now: LocalTime, memory: &mut BankMemory) -> Action {
    let toast = Toast::Removed { name: sound.info.name.clone(), hash: sound.info.hash.clone() };
    memory.say(toast, now);
    memory.chosen = None;
    edit(&sound.info.hash, |edit| edit.removed = Some(true))
}

fn put_back(hash: &str) -> Action {
    edit(hash, |edit| edit.removed = Some(false))
}
