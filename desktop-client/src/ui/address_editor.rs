//! The editor of the relay's address, in the header.

use downbeat_protocol::Epoch;
use egui::{
    Align2, Id, Key, Rect, TextEdit, Ui, Vec2, pos2,
    text::{CCursor, CCursorRange},
    text_edit::TextEditState,
    vec2,
};

use super::{
    theme::{self, GRID, size},
    widgets::{self, Look},
};
use crate::{
    action::Action,
    net::{address::TypedAddress, room_code::RoomCode},
};

/// The state of the editor.
#[derive(Clone, Debug)]
pub(super) struct AddressEditor {
    text: String,
    /// Whether it has yet to get the keyboard focus.
    fresh: bool,
    wanted: Wanted,
}

/// What is asked for.
#[derive(Clone, Debug)]
enum Wanted {
    /// Any address, or the room code of the relay at hand.
    Address,
    /// The room code or the link of a relay.
    Code {
        /// None if it was not found on the network.
        epoch: Option<Epoch>,
        name: String,
    },
    /// The link of the relay of this name.
    Link(String),
}

impl AddressEditor {
    /// An editor that starts with this address.
    pub(super) fn new(relay: &str) -> Self {
        Self { text: relay.to_owned(), fresh: true, wanted: Wanted::Address }
    }

    /// An editor for the room code or the link of a relay of this name. It is empty: the address that was announced
    /// may be an impostor's, which would be sent the token.
    pub(super) fn for_code(epoch: Option<Epoch>, name: &str) -> Self {
        let wanted = Wanted::Code { epoch, name: name.to_owned() };
        Self { text: String::new(), fresh: true, wanted }
    }

    /// An editor for the link of a relay of this name. It is empty as well.
    pub(super) fn for_link(name: &str) -> Self {
        Self { text: String::new(), fresh: true, wanted: Wanted::Link(name.to_owned()) }
    }

    /// What to do with the text.
    fn action(&self) -> Action {
        let address = || Action::SetRelay(TypedAddress::new(&self.text));
        let relay = match self.wanted {
            Wanted::Address => None,
            Wanted::Code { epoch, .. } => epoch,
            Wanted::Link(_) => return address(),
        };
        match self.text.parse::<RoomCode>() {
            Ok(code) => Action::EnterCode { relay, code },
            Err(_) => address(),
        }
    }
}

/// Shows the editor. Returns whether it stays open.
pub(super) fn show(ui: &mut Ui, inside: Rect, editor: &mut AddressEditor) -> (bool, Vec<Action>) {
    let button = vec2(11.0 * GRID, inside.height());
    let cancel = Rect::from_min_size(pos2(inside.right() - button.x, inside.top()), button);
    let connect = cancel.translate(vec2(-button.x - GRID - 8.0, 0.0)).expand2(vec2(4.0, 0.0));
    let field = Rect::from_min_max(inside.min, pos2(connect.left() - GRID, inside.bottom()));

    let (name, hint) = match &editor.wanted {
        Wanted::Address => ("Relay address".to_owned(), "Host, link or room code"),
        Wanted::Code { name, .. } => (format!("Room code of {name}"), "Room code or joining link"),
        Wanted::Link(name) => (format!("Link of {name}"), "Paste the joining link"),
    };
    let edit = TextEdit::singleline(&mut editor.text)
        .id(Id::unique("relay address"))
        .font(theme::bold(size::NAME))
        .hint_text(hint)
        .margin(egui::Margin::symmetric(12, 10))
        .align(Align2::LEFT_CENTER)
        .min_size(Vec2::new(0.0, field.height()));
    let response = ui.put(field, edit).accessible_name(name);
    if editor.fresh {
        response.request_focus();
        // All is selected, so that typing replaces the old address. The undo history is cleared: it may
        // hold a token.
        let mut typing = TextEditState::default();
        let end = CCursor::new(editor.text.chars().count());
        typing.cursor.set_char_range(Some(CCursorRange::two(CCursor::default(), end)));
        typing.store(ui.ctx(), response.id);
        editor.fresh = false;
    }
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let left = ui.input(|input| input.key_pressed(Key::Escape));

    let is_empty = editor.text.trim().is_empty();
    let confirmed = widgets::button(ui, connect, "Connect", Look::Accent).clicked() || entered;
    let cancelled = widgets::button(ui, cancel, "Cancel", Look::Raised).clicked() || left;
    if confirmed && !is_empty {
        return (false, vec![editor.action()]);
    }
    (!cancelled, Vec::new())
}
