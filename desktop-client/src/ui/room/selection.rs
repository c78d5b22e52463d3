//! Which machines are selected. Pure: it draws nothing.

use std::collections::BTreeSet;

use egui::Modifiers;

use super::machine::Key;

/// The selected machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ui) struct Selection {
    keys: BTreeSet<Key>,
    /// Where a range begins: the machine that was pressed last without Shift.
    anchor: Option<Key>,
    /// The machine that was pressed last, from which arrow keys go on.
    cursor: Option<Key>,
}

impl Selection {
    pub(in crate::ui) fn contains(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }

    pub(in crate::ui) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Selects one machine and no other.
    pub(in crate::ui) fn select_only(&mut self, key: Key) {
        self.keys = BTreeSet::from([key]);
        self.anchor = Some(key);
        self.cursor = Some(key);
    }

    /// Selects these.
    pub(in crate::ui) fn select_all(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.keys = keys.into_iter().collect();
    }

    /// Applies a press on a machine: alone it selects only that one, with Ctrl it adds or removes it, and with
    /// Shift it selects all from the last one to it, as they are listed in `order`.
    pub(in crate::ui) fn press(&mut self, key: Key, order: &[Key], modifiers: Modifiers) {
        self.cursor = Some(key);
        if modifiers.shift
            && let Some(range) = self.range(key, order)
        {
            if !modifiers.command {
                self.keys.clear();
            }
            self.keys.extend(range);
        } else if modifiers.command || modifiers.shift {
            if !self.keys.remove(&key) {
                self.keys.insert(key);
            }
            self.anchor = Some(key);
        } else {
            self.select_only(key);
        }
    }

    /// Goes one machine up or down in `order`, as a press there would. Returns where that is.
    pub(in crate::ui) fn step(
        &mut self,
        is_down: bool,
        order: &[Key],
        modifiers: Modifiers,
    ) -> Option<Key> {
        let place = self.cursor.and_then(|cursor| order.iter().position(|key| *key == cursor));
        let next = match (place, is_down) {
            (Some(place), true) => (place + 1).min(order.len().checked_sub(1)?),
            (Some(place), false) => place.saturating_sub(1),
            (None, true) => 0,
            (None, false) => order.len().checked_sub(1)?,
        };
        let key = *order.get(next)?;
        // With Ctrl alone, an arrow would take away what it passes.
        let shift = if modifiers.shift { Modifiers::SHIFT } else { Modifiers::NONE };
        self.press(key, order, shift);
        Some(key)
    }

    /// The machines from the anchor to this one.
    fn range<'a>(&self, key: Key, order: &'a [Key]) -> Option<&'a [Key]> {
        let place = |key: Key| order.iter().position(|other| *other == key);
        let (from, to) = (place(self.anchor?)?, place(key)?);
        Some(&order[from.min(to)..=from.max(to)])
    }

    /// Gives up machines that do not exist any longer.
    pub(in crate::ui) fn keep(&mut self, exists: impl Fn(Key) -> bool) {
        self.keys.retain(|key| exists(*key));
        self.anchor = self.anchor.filter(|key| exists(*key));
        self.cursor = self.cursor.filter(|key| exists(*key));
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::ClientId;

    use super::*;

    const CTRL: Modifiers = Modifiers::COMMAND;
    const SHIFT: Modifiers = Modifiers::SHIFT;

    fn key(id: u32) -> Key {
        Key::Client(ClientId(id))
    }

    fn selected(selection: &Selection) -> Vec<u32> {
        (0..9).filter(|id| selection.contains(key(*id))).collect()
    }

    #[test]
    fn presses_select_one_many_and_ranges() {
        // Not in the order of their numbers.
        let order = [3, 1, 5, 2, 4].map(key);
        let mut selection = Selection::default();
        selection.press(key(1), &order, Modifiers::NONE);
        assert_eq!(selected(&selection), [1]);
        selection.press(key(4), &order, CTRL);
        assert_eq!(selected(&selection), [1, 4]);
        selection.press(key(4), &order, CTRL);
        assert_eq!(selected(&selection), [1]);
        selection.press(key(3), &order, Modifiers::NONE);
        selection.press(key(5), &order, SHIFT);
        assert_eq!(selected(&selection), [1, 3, 5], "as they are listed");
        selection.press(key(1), &order, SHIFT);
        assert_eq!(selected(&selection), [1, 3], "from the same beginning");
        selection.press(key(4), &order, CTRL);
        selection.press(key(2), &order, SHIFT | CTRL);
        assert_eq!(selected(&selection), [1, 2, 3, 4]);
    }

    #[test]
    fn arrows_go_on_from_the_last_press_and_stop_at_the_ends() {
        let order = [3, 1, 5].map(key);
        let mut selection = Selection::default();
        assert_eq!(selection.step(true, &order, Modifiers::NONE), Some(key(3)));
        assert_eq!(selection.step(true, &order, SHIFT), Some(key(1)));
        assert_eq!(selection.step(true, &order, SHIFT), Some(key(5)));
        assert_eq!(selection.step(true, &order, SHIFT), Some(key(5)));
        assert_eq!(selected(&selection), [1, 3, 5]);
        assert_eq!(selection.step(false, &order, Modifiers::NONE), Some(key(1)));
        assert_eq!(selected(&selection), [1]);
        assert_eq!(selection.step(true, &[], Modifiers::NONE), None);
    }

    #[test]
    fn without_a_beginning_shift_selects_one() {
        let order = [1, 2].map(key);
        let mut selection = Selection::default();
        selection.press(key(2), &order, SHIFT);
        assert_eq!(selected(&selection), [2]);
        selection.keep(|one| one != key(2));
        assert!(selected(&selection).is_empty());
    }
}
