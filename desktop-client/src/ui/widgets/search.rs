//! A field for a search. Esc empties it.

use egui::{
    Align2, Id, Key, Rect, Stroke, TextEdit, Ui,
    text::{CCursor, CCursorRange},
    text_edit::TextEditState,
    vec2,
};

use crate::ui::theme::{self, size};

/// A field for a search.
pub(in crate::ui) struct Search<'a> {
    pub(in crate::ui) id: Id,
    /// Its name.
    pub(in crate::ui) name: &'a str,
    /// What to do.
    pub(in crate::ui) hint: &'a str,
}

/// Shows the field. `focuses` says whether it is to get the keyboard focus.
pub(in crate::ui) fn search(
    ui: &mut Ui,
    rect: Rect,
    search: &Search<'_>,
    text: &mut String,
    focuses: &mut bool,
) {
    let color = theme::palette(ui);
    if std::mem::take(focuses) {
        ui.memory_mut(|memory| memory.request_focus(search.id));
        let mut typing = TextEditState::load(ui.ctx(), search.id).unwrap_or_default();
        let end = CCursor::new(text.chars().count());
        typing.cursor.set_char_range(Some(CCursorRange::one(end)));
        typing.store(ui.ctx(), search.id);
    }
    let edit = TextEdit::singleline(text)
        .id(search.id)
        .font(theme::regular(size::SMALL))
        .hint_text(search.hint)
        .margin(egui::Margin { left: 34, right: 8, top: 8, bottom: 8 })
        .align(Align2::LEFT_CENTER)
        .desired_width(f32::INFINITY)
        .min_size(vec2(0.0, rect.height()));
    let response = ui.place(rect, edit).accessible_name(search.name);
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape)) {
        text.clear();
    }
    let center = rect.left_center() + vec2(17.0, -1.5);
    let stroke = Stroke::new(1.75, color.muted);
    ui.painter().circle_stroke(center, 5.0, stroke);
    ui.painter().line_segment([center + vec2(3.7, 3.7), center + vec2(8.0, 8.0)], stroke);
}
