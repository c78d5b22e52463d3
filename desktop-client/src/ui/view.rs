//! The views of the window.

/// A view of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Pads, the bang, variables.
    #[default]
    Play,
    /// The bang, large.
    Bang,
    /// The machines.
    Room,
    /// Output, relay, appearance.
    Settings,
}

impl View {
    /// All of them, in the order of the tabs.
    pub const ALL: [Self; 4] = [Self::Play, Self::Bang, Self::Room, Self::Settings];

    /// Its name.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Play => "Play",
            Self::Bang => "Bang",
            Self::Room => "Room",
            Self::Settings => "Settings",
        }
    }
}
