//! The channel map of a stream.
//!
//! The mixer's channels are in the order of `dwChannelMask`, as in WAVs. Sinks have orders of their own:
//! ALSA's 5.1 has the centre last but one. The channel map says which channel is for which loudspeaker, and
//! the server routes them.

use downbeat_samples::speakers::{self, usual_mask};
use pulseaudio::protocol::{ChannelMap, ChannelPosition};

/// The map of a stream to a sink of `map`: in the mask's order if the sink has the usual loudspeakers for
/// its number of channels. Any other sink (lines of an interface, 2.1) gets channel for channel: the server
/// would mix channels for which the sink has no loudspeaker into others.
pub(super) fn stream_map(map: ChannelMap) -> ChannelMap {
    in_mask_order(&map).unwrap_or(map)
}

fn in_mask_order(map: &ChannelMap) -> Option<ChannelMap> {
    let mut channels = Vec::new();
    for position in map {
        channels.push((speaker(position)?, position));
    }
    channels.sort_by_key(|(speaker, _)| *speaker);
    let mask = channels.iter().fold(0, |mask, (speaker, _)| mask | speaker);
    let is_usual = usual_mask(map.num_channels().into()) == Some(at_the_back(mask));
    is_usual.then(|| ChannelMap::new(channels.into_iter().map(|(_, position)| position)))
}

/// Maps *side* loudspeakers to the usual *back* ones, if there are no others.
fn at_the_back(mask: u32) -> u32 {
    let side = speakers::SIDE_LEFT | speakers::SIDE_RIGHT;
    let back = speakers::BACK_LEFT | speakers::BACK_RIGHT;
    let others = back | speakers::BACK_CENTER;
    if mask & side == side && mask & others == 0 { mask ^ side | back } else { mask }
}

fn speaker(position: ChannelPosition) -> Option<u32> {
    Some(match position {
        ChannelPosition::FrontLeft => speakers::FRONT_LEFT,
        ChannelPosition::FrontRight => speakers::FRONT_RIGHT,
        ChannelPosition::FrontCenter => speakers::FRONT_CENTER,
        ChannelPosition::Lfe => speakers::LOW_FREQUENCY,
        ChannelPosition::RearLeft => speakers::BACK_LEFT,
        ChannelPosition::RearRight => speakers::BACK_RIGHT,
        ChannelPosition::RearCenter => speakers::BACK_CENTER,
        ChannelPosition::SideLeft => speakers::SIDE_LEFT,
        ChannelPosition::SideRight => speakers::SIDE_RIGHT,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChannelPosition::{
        Aux0, Aux1, FrontCenter, FrontLeft, FrontRight, Lfe, RearLeft, RearRight, SideLeft,
        SideRight,
    };

    #[test]
    fn a_usual_loudspeaker_layout_is_mapped_in_the_order_of_the_mask() {
        let alsa = [FrontLeft, FrontRight, RearLeft, RearRight, FrontCenter, Lfe];
        let wave = [FrontLeft, FrontRight, FrontCenter, Lfe, RearLeft, RearRight];
        assert_eq!(stream_map(ChannelMap::new(alsa)), ChannelMap::new(wave));
        let side = [FrontLeft, FrontRight, SideLeft, SideRight, FrontCenter, Lfe];
        let sorted = [FrontLeft, FrontRight, FrontCenter, Lfe, SideLeft, SideRight];
        assert_eq!(stream_map(ChannelMap::new(side)), ChannelMap::new(sorted));
        let crossed = ChannelMap::new([FrontRight, FrontLeft]);
        assert_eq!(stream_map(crossed), ChannelMap::stereo());
    }

    #[test]
    fn any_other_sink_is_mapped_channel_for_channel() {
        for map in [
            ChannelMap::mono(),
            ChannelMap::new([Aux1, Aux0]),
            ChannelMap::new([FrontLeft, Lfe, FrontRight]),
            ChannelMap::new([FrontLeft, FrontLeft]),
        ] {
            assert_eq!(stream_map(map), map);
        }
    }
}
