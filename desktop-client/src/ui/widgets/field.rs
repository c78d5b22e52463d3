//! A text field that shows what is kept until somebody edits it, and hands over what was typed with Enter
//! or when the focus leaves it. Esc gives up.

use std::collections::HashMap;

use egui::{Align2, Id, Key, Margin, Rect, RichText, TextEdit, Ui, vec2};

use crate::ui::theme::{self, size};

/// The texts that are being edited, by the id of their field: as many as fields were left half edited.
pub(in crate::ui) type Drafts = HashMap<Id, String>;

/// A field.
#[derive(Clone, Copy, Debug)]
pub(in crate::ui) struct Field<'a> {
    /// Its name.
    pub(in crate::ui) name: &'a str,
    /// What is kept.
    pub(in crate::ui) kept: &'a str,
    /// What to type.
    pub(in crate::ui) hint: &'a str,
    /// Whether the text is centred.
    pub(in crate::ui) is_centered: bool,
}

/// Shows a field in `rect`. Returns what was entered, if it is not what is kept.
pub(in crate::ui) fn field(
    ui: &mut Ui,
    rect: Rect,
    id: Id,
    drafts: &mut Drafts,
    field: &Field<'_>,
) -> Option<String> {
    let mut text = drafts.get(&id).cloned().unwrap_or_else(|| field.kept.to_owned());
    let align = if field.is_centered { Align2::CENTER_CENTER } else { Align2::LEFT_CENTER };
    let edit = TextEdit::singleline(&mut text)
        .id(id)
        .font(theme::regular(size::SMALL))
        .hint_text(RichText::new(field.hint).font(theme::regular(size::SMALL)))
        .margin(Margin::symmetric(8, 4))
        .align(align)
        .desired_width(f32::INFINITY)
        .min_size(vec2(0.0, rect.height()));
    let response = ui.place(rect, edit).accessible_name(field.name);
    if response.changed() {
        drafts.insert(id, text.clone());
    }
    if !response.lost_focus() {
        return None;
    }
    drafts.remove(&id);
    let is_given_up = ui.input(|input| input.key_pressed(Key::Escape));
    (!is_given_up && text != field.kept).then_some(text)
}
