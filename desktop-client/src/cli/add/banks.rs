//! The banks of the relay while files are added to it: since which one there is a sound.
//!
//! Pure: the relay's messages in, numbers out.

use downbeat_protocol::{BankNow, Epoch, Welcome};

/// The banks since the relay was joined.
#[derive(Debug)]
pub(super) struct Banks {
    epoch: Epoch,
    now: BankNow,
    /// The number of the first one.
    initial: u64,
    /// The sounds that came later, by their hashes, with the number of the bank that they came with.
    added: Vec<(String, u64)>,
}

impl Banks {
    /// The bank of a relay that is joined.
    pub(super) fn of(welcome: &Welcome) -> Self {
        let now = bank_of(welcome);
        Self { epoch: welcome.epoch, initial: now.bank, now, added: Vec::new() }
    }

    /// The relay is joined again.
    pub(super) fn joined_again(&mut self, welcome: &Welcome) {
        if welcome.epoch == self.epoch {
            self.changed(bank_of(welcome));
        } else {
            // A relay that was started again numbers its banks from one.
            *self = Self::of(welcome);
        }
    }

    /// The relay serves another bank.
    pub(super) fn changed(&mut self, bank: BankNow) {
        let is_new = |hash: &String| !self.has(hash);
        let new = bank.sounds.iter().map(|sound| sound.hash.clone()).filter(is_new);
        let new: Vec<_> = new.map(|hash| (hash, bank.bank)).collect();
        self.added.extend(new);
        self.now = bank;
    }

    /// Since which bank there is a sound; none while the relay has not told about it.
    pub(super) fn since(&self, hash: &str) -> Option<u64> {
        let added = self.added.iter().find(|(known, _)| known == hash);
        // The bank may have had it before.
        added.map(|(_, bank)| *bank).or_else(|| self.has(hash).then_some(self.initial))
    }

    /// How many sounds there are.
    pub(super) fn sounds(&self) -> usize {
        self.now.sounds.len()
    }

    fn has(&self, hash: &str) -> bool {
        self.now.sounds.iter().any(|sound| sound.hash == hash)
    }
}

fn bank_of(welcome: &Welcome) -> BankNow {
    BankNow {
        sounds: welcome.sounds.clone(),
        default_sound: welcome.default_sound.clone(),
        bank: welcome.bank,
        removed: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::welcome, *};

    fn bank(number: u64, hashes: &[&str]) -> BankNow {
        bank_of(&welcome(1, number, hashes))
    }

    #[test]
    fn a_sound_is_there_since_the_bank_that_it_came_with() {
        let mut banks = Banks::of(&welcome(1, 5, &["a"]));
        banks.changed(bank(6, &["a", "b"]));
        banks.changed(bank(7, &["a", "b", "c"]));
        let since = |hash| banks.since(hash);
        assert_eq!([since("a"), since("b"), since("c")], [Some(5), Some(6), Some(7)]);
        assert_eq!((since("d"), banks.sounds()), (None, 3));
    }

    #[test]
    fn a_relay_that_was_started_again_numbers_from_one() {
        let mut banks = Banks::of(&welcome(1, 40, &["a"]));
        banks.changed(bank(41, &["a", "b"]));
        banks.joined_again(&welcome(1, 42, &["a", "b"]));
        assert_eq!(banks.since("b"), Some(41), "it is the same one");
        banks.joined_again(&welcome(2, 1, &["b"]));
        assert_eq!((banks.since("b"), banks.since("a")), (Some(1), None));
    }
}
