//! The commands of the window: what each is called, what it does, and its keys. Keys are handled here and
//! nowhere else; tooltips and the list in the settings show them.

use egui::{Event, Id, Key, KeyboardShortcut, Modifiers, Ui};

use super::view::View;

/// What a person can ask for with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Play the selected sound.
    Bang,
    /// Stop all sounds.
    StopAll,
    /// Show a view.
    Show(View),
    /// Search the pads, or the room.
    Search,
    /// Play with neutral values, everywhere, together.
    ResetHand,
    /// Edit the relay's address.
    ChangeRelay,
    /// Show how others join.
    Join,
    /// Lock the room, or unlock it.
    Lock,
    /// Select all machines that are listed.
    SelectAll,
    /// Let the selected machines flash and tick.
    Identify,
    /// Let the selected machines open their output again.
    RestartOutput,
    /// Edit sounds instead of playing them, or no longer.
    EditSounds,
    /// Type the name of what is selected.
    Rename,
    /// Forget the selected machines, or remove the edited sound.
    Remove,
    /// Move the edited sound by one place.
    MoveEarlier,
    /// Move the edited sound by one place.
    MoveLater,
    /// Put back the sound that was removed last.
    PutBack,
}

const fn plain(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn command(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Bang,
        Self::StopAll,
        Self::Show(View::Play),
        Self::Show(View::Bang),
        Self::Show(View::Room),
        Self::Show(View::Settings),
        Self::Search,
        Self::ResetHand,
        Self::ChangeRelay,
        Self::Join,
        Self::Lock,
        Self::SelectAll,
        Self::Identify,
        Self::RestartOutput,
        Self::EditSounds,
        Self::Rename,
        Self::Remove,
        Self::MoveEarlier,
        Self::MoveLater,
        Self::PutBack,
    ];

    /// Its name.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Bang => "Bang",
            Self::StopAll => "Stop all",
            Self::Show(view) => view.text(),
            Self::Search => "Search",
            Self::ResetHand => "Reset play by hand",
            Self::ChangeRelay => "Change relay",
            Self::Join => "How others join",
            Self::Lock => "Only conductors bang",
            Self::SelectAll => "Select all machines",
            Self::Identify => "Identify",
            Self::RestartOutput => "Restart output",
            Self::EditSounds => "Edit sounds",
            Self::Rename => "Rename",
            Self::Remove => "Forget or remove",
            Self::MoveEarlier => "Move earlier",
            Self::MoveLater => "Move later",
            Self::PutBack => "Put back the last removed sound",
        }
    }

    /// What it does.
    #[must_use]
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Bang => "Play the selected sound on every machine",
            Self::StopAll => "Stop all sounds on every machine",
            Self::Show(View::Play) => "Pads, variables, and how they are played",
            Self::Show(View::Bang) => "One large button, for a lesson",
            Self::Show(View::Room) => "The machines, their seats and tags, and their synchrony",
            Self::Show(View::Settings) => "Output, relay, appearance, and the keys",
            Self::Search => "Show the sounds, or in the room the machines, that are found",
            Self::ResetHand => "No change of gain, pitch and pan; everyone, together",
            Self::ChangeRelay => "Connect to another relay",
            Self::Join => "Show a QR code, links and the room code",
            Self::Lock => "Let only conductors bang, stop and set; or everyone with the right",
            Self::SelectAll => "Select all machines that are listed",
            Self::Identify => "Let the selected machines flash and tick, to find them in the room",
            Self::RestartOutput => "Let the selected machines close their output and open it again",
            Self::EditSounds => {
                "Rename, order, loop and remove sounds, and add files; or play again"
            }
            Self::Rename => "Type the name of the selected machine, or of the edited sound",
            Self::Remove => "Forget the selected machines, or remove the edited sound",
            Self::MoveEarlier => "Move the edited sound to the place before it",
            Self::MoveLater => "Move the edited sound to the place after it",
            Self::PutBack => "Undo the last removal of a sound",
        }
    }

    /// Its keys.
    #[must_use]
    pub fn shortcuts(self) -> &'static [KeyboardShortcut] {
        match self {
            Self::Bang => const { &[plain(Key::Space), plain(Key::Enter)] },
            Self::StopAll => const { &[plain(Key::Escape)] },
            Self::Show(View::Play) => const { &[command(Key::Num1)] },
            Self::Show(View::Bang) => const { &[command(Key::Num2)] },
            Self::Show(View::Room) => const { &[command(Key::Num3)] },
            Self::Show(View::Settings) => const { &[command(Key::Num4), command(Key::Comma)] },
            Self::Search => const { &[plain(Key::Slash), command(Key::F)] },
            Self::ResetHand => const { &[command(Key::Num0)] },
            Self::ChangeRelay => const { &[command(Key::L)] },
            Self::Join => const { &[command(Key::J)] },
            Self::Lock => const { &[command(Key::K)] },
            Self::SelectAll => const { &[command(Key::A)] },
            Self::Identify => const { &[command(Key::I)] },
            Self::RestartOutput => const { &[command(Key::R)] },
            Self::EditSounds => const { &[command(Key::E)] },
            Self::Rename => const { &[plain(Key::F2)] },
            Self::Remove => const { &[plain(Key::Delete)] },
            Self::MoveEarlier => const { &[command(Key::ArrowLeft)] },
            Self::MoveLater => const { &[command(Key::ArrowRight)] },
            Self::PutBack => const { &[command(Key::Z)] },
        }
    }

    /// Whether it does anything in this view.
    fn applies_in(self, view: View) -> bool {
        match self {
            Self::SelectAll | Self::Identify | Self::RestartOutput => view == View::Room,
            Self::Rename | Self::Remove => matches!(view, View::Play | View::Room),
            Self::EditSounds | Self::MoveEarlier | Self::MoveLater | Self::PutBack => {
                view == View::Play
            }
            _ => true,
        }
    }

    /// Whether a field that has the focus needs its keys for itself.
    fn is_of_fields(self) -> bool {
        matches!(self, Self::SelectAll | Self::MoveEarlier | Self::MoveLater | Self::PutBack)
    }

    /// Its keys, for people.
    pub(super) fn keys(self, ui: &Ui) -> String {
        let name = |shortcut: &KeyboardShortcut| match shortcut.logical_key {
            Key::Escape => "Esc".to_owned(),
            // Signs instead of their names.
            key @ (Key::Slash | Key::Comma) => {
                let modifiers = ui.ctx().format_modifiers(shortcut.modifiers);
                let plus = if modifiers.is_empty() { "" } else { "+" };
                format!("{modifiers}{plus}{}", if key == Key::Slash { "/" } else { "," })
            }
            _ => ui.ctx().format_shortcut(shortcut),
        };
        self.shortcuts().iter().map(name).collect::<Vec<_>>().join(" or ")
    }

    /// What it does, and its keys.
    pub(super) fn hover(self, ui: &Ui) -> String {
        format!("{} ({})", self.tooltip(), self.keys(ui))
    }
}

/// The commands whose keys were pressed since the last frame, in `view`. What it returns is handled: no widget
/// sees those keys, except the bang's. `is_something_open` tells whether Esc closes something first.
pub(super) fn pressed(ui: &Ui, view: View, is_something_open: bool) -> Vec<Command> {
    let focus = ui.memory(egui::Memory::focused);
    // Space and Enter bang, unless the keyboard focus is elsewhere: in a field, or on a control that was
    // reached with Tab.
    let has_keyboard = focus.is_none_or(|id| id == Id::unique("bang"));
    let is_typing = ui.ctx().text_edit_focused();
    // Esc first closes what is open, and leaves the field that has the focus: it has lost that already.
    let is_something_open = is_something_open || is_typing || egui::Popup::is_any_open(ui.ctx());
    let applies = |command: Command| match command {
        Command::Bang => has_keyboard,
        Command::StopAll => !is_something_open,
        _ => command.applies_in(view) && !(is_typing && command.is_of_fields()),
    };
    ui.input_mut(|input| {
        let mut commands = Vec::new();
        let mut searches = false;
        input.events.retain(|event| {
            let Event::Key { key, pressed: true, repeat, modifiers, .. } = event else {
                return true;
            };
            let Some(command) = find(*key, *modifiers, is_typing).filter(|found| applies(*found))
            else {
                return true;
            };
            if command == Command::Bang && *repeat {
                return true;
            }
            commands.push(command);
            searches |= command == Command::Search;
            command == Command::Bang
        });
        if searches {
            // The same press would type a slash into the field.
            input.events.retain(|event| !matches!(event, Event::Text(text) if text == "/"));
        }
        commands
    })
}

/// The command of a key, if it has one.
fn find(key: Key, modifiers: Modifiers, is_typing: bool) -> Option<Command> {
    let matches = |shortcut: &KeyboardShortcut| {
        let is_plain = shortcut.modifiers.is_none();
        // On some keyboards a slash takes Shift.
        let fits = if is_plain {
            !modifiers.command && !modifiers.ctrl && !modifiers.alt
        } else {
            modifiers.command && !modifiers.alt
        };
        let escapes = key == Key::Escape || key == Key::Space || key == Key::Enter;
        shortcut.logical_key == key && fits && !(is_plain && is_typing && !escapes)
    };
    Command::ALL.into_iter().find(|command| command.shortcuts().iter().any(matches))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_text_a_tooltip_and_keys_of_its_own() {
        let mut keys: Vec<&KeyboardShortcut> = Vec::new();
        let mut texts = Vec::new();
        for command in Command::ALL {
            assert!(!command.tooltip().is_empty());
            assert!(!command.shortcuts().is_empty(), "{command:?}");
            keys.extend(command.shortcuts());
            texts.push((command.text(), matches!(command, Command::Show(_))));
        }
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[index + 1..].contains(key), "{key:?} has two commands");
        }
        for (index, text) in texts.iter().enumerate() {
            assert!(!texts[index + 1..].contains(text), "{text:?} names two commands");
        }
    }

    #[test]
    fn no_plain_key_of_a_command_is_the_key_of_a_pad() {
        for command in Command::ALL {
            for shortcut in command.shortcuts().iter().filter(|key| key.modifiers.is_none()) {
                assert!(!super::super::keys::PAD_KEYS.contains(&shortcut.logical_key));
            }
        }
    }

    #[test]
    fn plain_keys_type_while_a_field_has_the_focus() {
        assert_eq!(find(Key::Slash, Modifiers::NONE, false), Some(Command::Search));
        assert_eq!(find(Key::Slash, Modifiers::SHIFT, false), Some(Command::Search));
        assert_eq!(find(Key::Slash, Modifiers::NONE, true), None);
        assert_eq!(find(Key::F, Modifiers::COMMAND, true), Some(Command::Search));
        assert_eq!(find(Key::F, Modifiers::NONE, false), None);
        assert_eq!(find(Key::Space, Modifiers::ALT, false), None);
    }
}
