//! The sounds that can be banged, and which of them can be played on this machine.

use std::{mem, sync::Arc};

use downbeat_protocol::BankNow;

use super::{BankSound, Readiness, State};
use crate::waveform::Waveform;

impl State {
    /// The relay serves these sounds from now on. What is known of one whose file is the same stays.
    pub(super) fn set_bank(&mut self, bank: BankNow) {
        let BankNow { sounds, default_sound, bank: number, removed } = bank;
        let former = mem::take(&mut self.bank);
        let selected = self.selected.as_ref();
        let selected = former.iter().find(|sound| Some(&sound.info.name) == selected);
        let selected = selected.map(|sound| sound.info.hash.clone());
        self.bank = sounds
            .into_iter()
            .map(|info| {
                let old = former.iter().find(|old| old.info.hash == info.hash);
                let readiness = old.map_or(Readiness::Loading, |old| old.readiness.clone());
                let waveform = old.and_then(|old| old.waveform.clone());
                BankSound { info, readiness, waveform }
            })
            .collect();
        self.bank_number = number;
        self.removed_sounds = removed;
        // A sound that was renamed stays selected.
        let renamed = self.bank.iter().find(|sound| Some(&sound.info.hash) == selected.as_ref());
        if let Some(sound) = renamed {
            self.selected = Some(sound.info.name.clone());
        }
        let is_in_bank = |name: &String| self.bank.iter().any(|sound| sound.info.name == *name);
        if !self.selected.as_ref().is_some_and(is_in_bank) {
            self.selected = Some(default_sound.clone()).filter(is_in_bank);
        }
        self.default_sound = default_sound;
        let hashes: Vec<_> = self.bank.iter().map(|sound| sound.info.hash.as_str()).collect();
        self.uploads.bank_changed(number, &hashes);
    }

    pub(super) fn set_readiness(&mut self, name: &str, readiness: Readiness) {
        if let Some(sound) = self.sound_mut(name) {
            sound.readiness = readiness;
        }
    }

    pub(super) fn set_waveform(&mut self, name: &str, waveform: Arc<Waveform>) {
        if let Some(sound) = self.sound_mut(name) {
            sound.waveform = Some(waveform);
        }
    }

    fn sound_mut(&mut self, name: &str) -> Option<&mut BankSound> {
        self.bank.iter_mut().find(|sound| sound.info.name == name)
    }
}
