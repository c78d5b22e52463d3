//! What a person does, as a message: from the window (or a command line) to the session.
//!
//! Plain data; nothing here acts.

/// From the window to the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sound everywhere. No name is the relay's default sound.
    Bang {
        /// Name of the sound.
        sound: Option<String>,
    },
    /// Bang this sound from now on. Sends nothing: it is said so that the choice can be remembered.
    SelectSound(String),
    /// Silence everywhere.
    StopAll,
    /// This machine's volume: a linear factor, 0 to 1.
    SetVolume(f32),
    /// Play through another output.
    SetOutput(OutputChoice),
    /// Give up on this relay and connect to the one at this address, as the command line takes it.
    SetRelay(String),
    /// Do not wait for the back-off: try to connect now.
    RetryNow,
}

/// Which output device to play through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OutputChoice {
    /// Whatever the system plays through.
    #[default]
    SystemDefault,
    /// The device of this id or name.
    Device(String),
}
