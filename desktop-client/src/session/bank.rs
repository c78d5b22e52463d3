//! The sounds that triggers can name: which there are, and which are decoded for the open output.
//!
//! The work is the loader's, on its own thread; this is the session's view of it.

use downbeat_protocol::{DEFAULT_SOUND, SoundInfo};

use crate::{
    audio::SoundBuffer,
    event::SessionEvent,
    sounds::{LoadRequest, Loader, LoaderToSession, Source, embedded_bank},
};
use std::sync::Arc;

/// Rate that sounds are decoded to while no output says better: most outputs have it.
const ASSUMED_RATE: u32 = 48_000;

/// A sound that can be put on now.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) name: String,
    pub(super) sound: Arc<SoundBuffer>,
}

/// The sounds that triggers can name.
pub(super) struct Bank {
    loader: Loader,
    source: Source,
    sounds: Vec<SoundInfo>,
    default_sound: String,
    rate: u32,
    generation: u64,
    ready: usize,
}

impl Bank {
    /// The embedded bank, until a relay names its own.
    pub(super) fn new(loader: Loader) -> Self {
        let mut bank = Self {
            loader,
            source: Source::Embedded,
            sounds: embedded_bank(),
            default_sound: DEFAULT_SOUND.to_owned(),
            rate: ASSUMED_RATE,
            generation: 0,
            ready: 0,
        };
        bank.load();
        bank
    }

    pub(super) fn sounds(&self) -> &[SoundInfo] {
        &self.sounds
    }

    pub(super) fn default_sound(&self) -> &str {
        &self.default_sound
    }

    /// The relay's sounds take the place of those before.
    pub(super) fn serve(&mut self, source: Source, sounds: Vec<SoundInfo>, default_sound: String) {
        self.source = source;
        self.sounds = sounds;
        self.default_sound = default_sound;
        self.load();
    }

    /// The embedded sounds take the place of those before: a plain relay names none.
    pub(super) fn serve_embedded(&mut self) {
        self.serve(Source::Embedded, embedded_bank(), DEFAULT_SOUND.to_owned());
    }

    /// Sounds are wanted at the rate of the output that was opened.
    pub(super) fn set_rate(&mut self, rate: u32) {
        if self.rate != rate {
            self.rate = rate;
            self.load();
        }
    }

    fn load(&mut self) {
        self.generation += 1;
        self.ready = 0;
        let mut sounds = self.sounds.clone();
        // What is most likely to be banged first is decoded first: the default, then the short.
        sounds.sort_by_key(|sound| (sound.name != self.default_sound, sound.bytes));
        self.loader.load(LoadRequest {
            source: self.source.clone(),
            sounds,
            rate: self.rate,
            generation: self.generation,
        });
    }

    /// What the loader says, as news for whoever watches; and the sound, if it is one.
    pub(super) fn take(
        &mut self,
        news: LoaderToSession,
    ) -> (Option<SessionEvent>, Option<Decoded>) {
        match news {
            LoaderToSession::Loaded { generation, name, sound, .. }
                if generation == self.generation =>
            {
                self.ready += 1;
                (
                    Some(SessionEvent::SoundReady { name: name.clone() }),
                    Some(Decoded { name, sound }),
                )
            }
            LoaderToSession::Failed { generation, name, reason, .. }
                if generation == self.generation =>
            {
                (Some(SessionEvent::SoundFailed { name, reason }), None)
            }
            LoaderToSession::AllDone { generation } if generation == self.generation => {
                (Some(SessionEvent::BankReady { sounds: self.ready }), None)
            }
            // Of a bank that has been replaced since.
            _ => (None, None),
        }
    }
}
