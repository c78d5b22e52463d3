//! Loudspeaker positions as bits of `dwChannelMask`, for the channels of files and outputs.
//!
//! The channels of a mask are in the order of its bits.

/// A loudspeaker: one bit of a mask.
pub const FRONT_LEFT: u32 = 1;
/// See [`FRONT_LEFT`].
pub const FRONT_RIGHT: u32 = 1 << 1;
/// See [`FRONT_LEFT`].
pub const FRONT_CENTER: u32 = 1 << 2;
/// See [`FRONT_LEFT`]. The channel of the low-frequency effects.
pub const LOW_FREQUENCY: u32 = 1 << 3;
/// See [`FRONT_LEFT`].
pub const BACK_LEFT: u32 = 1 << 4;
/// See [`FRONT_LEFT`].
pub const BACK_RIGHT: u32 = 1 << 5;
/// See [`FRONT_LEFT`].
pub const FRONT_LEFT_OF_CENTER: u32 = 1 << 6;
/// See [`FRONT_LEFT`].
pub const FRONT_RIGHT_OF_CENTER: u32 = 1 << 7;
/// See [`FRONT_LEFT`].
pub const BACK_CENTER: u32 = 1 << 8;
/// See [`FRONT_LEFT`].
pub const SIDE_LEFT: u32 = 1 << 9;
/// See [`FRONT_LEFT`].
pub const SIDE_RIGHT: u32 = 1 << 10;
/// See [`FRONT_LEFT`].
pub const TOP_CENTER: u32 = 1 << 11;
/// See [`FRONT_LEFT`].
pub const TOP_FRONT_LEFT: u32 = 1 << 12;
/// See [`FRONT_LEFT`].
pub const TOP_FRONT_CENTER: u32 = 1 << 13;
/// See [`FRONT_LEFT`].
pub const TOP_FRONT_RIGHT: u32 = 1 << 14;
/// See [`FRONT_LEFT`].
pub const TOP_BACK_LEFT: u32 = 1 << 15;
/// See [`FRONT_LEFT`].
pub const TOP_BACK_CENTER: u32 = 1 << 16;
/// See [`FRONT_LEFT`].
pub const TOP_BACK_RIGHT: u32 = 1 << 17;

const STEREO: u32 = FRONT_LEFT | FRONT_RIGHT;
const BACK: u32 = BACK_LEFT | BACK_RIGHT;
const SIDE: u32 = SIDE_LEFT | SIDE_RIGHT;
const CENTER_AND_LOW: u32 = FRONT_CENTER | LOW_FREQUENCY;

/// The default mask for this many channels: mono, stereo, L R C, quadraphonic, 5.0, 5.1, 6.1, 7.1.
/// `None` for more: the channels of such an output are independent lines.
#[must_use]
pub fn usual_mask(channels: u16) -> Option<u32> {
    Some(match channels {
        1 => FRONT_CENTER,
        2 => STEREO,
        3 => STEREO | FRONT_CENTER,
        4 => STEREO | BACK,
        5 => STEREO | FRONT_CENTER | BACK,
        6 => STEREO | CENTER_AND_LOW | BACK,
        7 => STEREO | CENTER_AND_LOW | BACK_CENTER | SIDE,
        8 => STEREO | CENTER_AND_LOW | BACK | SIDE,
        _ => return None,
    })
}
