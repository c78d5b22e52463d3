//! The format of an output.

/// The format of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFormat {
    /// Frames per second.
    pub rate: u32,
    /// Values per frame.
    pub channels: u16,
}
