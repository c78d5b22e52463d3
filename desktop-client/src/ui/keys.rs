//! The keys of the pads: the digits, then the letters, row by row as they lie on a keyboard.

use egui::{Event, Key, Ui};

/// The keys, in the order of the pads. They are positions: what is printed on them may differ.
pub(super) const PAD_KEYS: [Key; 36] = [
    Key::Num1,
    Key::Num2,
    Key::Num3,
    Key::Num4,
    Key::Num5,
    Key::Num6,
    Key::Num7,
    Key::Num8,
    Key::Num9,
    Key::Num0,
    Key::Q,
    Key::W,
    Key::E,
    Key::R,
    Key::T,
    Key::Y,
    Key::U,
    Key::I,
    Key::O,
    Key::P,
    Key::A,
    Key::S,
    Key::D,
    Key::F,
    Key::G,
    Key::H,
    Key::J,
    Key::K,
    Key::L,
    Key::Z,
    Key::X,
    Key::C,
    Key::V,
    Key::B,
    Key::N,
    Key::M,
];

/// What is printed on the key of a pad, on an American keyboard.
pub(super) fn label(place: usize) -> Option<&'static str> {
    PAD_KEYS.get(place).map(|key| key.symbol_or_name())
}

/// The places of the pads whose keys were pressed since the last frame. A held key counts once.
pub(super) fn pressed(ui: &Ui) -> Vec<usize> {
    if ui.ctx().text_edit_focused() || egui::Popup::is_any_open(ui.ctx()) {
        return Vec::new();
    }
    ui.input(|input| {
        let place = |event: &Event| match event {
            Event::Key { key, physical_key, pressed: true, repeat: false, modifiers }
                if modifiers.is_none() =>
            {
                let key = physical_key.unwrap_or(*key);
                PAD_KEYS.iter().position(|pad| *pad == key)
            }
            _ => None,
        };
        input.events.iter().filter_map(place).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pad_key_is_its_own() {
        for (index, key) in PAD_KEYS.iter().enumerate() {
            assert!(!PAD_KEYS[index + 1..].contains(key), "{key:?}");
        }
        assert_eq!(label(0), Some("1"));
        assert_eq!(label(9), Some("0"));
        assert_eq!(label(10), Some("Q"));
        assert_eq!(label(36), None);
    }
}
