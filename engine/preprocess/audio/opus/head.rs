//! The header of a stream of Opus (RFC 7845).

use symphonia::core::audio::Position;

use crate::preprocess::audio::mono;

/// The most channels of a file.
const MAX_CHANNELS: usize = 255;

/// What the file's header says (RFC 7845).
pub(in crate::preprocess::audio) struct Head {
    /// Samples to leave out at the start.
    pub(in crate::preprocess::audio) pre_skip: usize,
    /// What all samples are multiplied by.
    pub(super) gain: f32,
    pub(super) streams: usize,
    pub(super) coupled: usize,
    /// For each channel which one of the streams' channels it is; 255 is silence.
    pub(super) mapping: Vec<u8>,
    /// The weight of each channel in the mix.
    pub(super) weights: Vec<f32>,
}

impl Head {
    /// Reads the header; nothing where it makes no sense.
    pub(in crate::preprocess::audio) fn parse(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.strip_prefix(b"OpusHead")?;
        let (version, channels) = (*fields.first()?, usize::from(*fields.get(1)?));
        let pre_skip = usize::from(u16::from_le_bytes([*fields.get(2)?, *fields.get(3)?]));
        let decibels = f32::from(i16::from_le_bytes([*fields.get(8)?, *fields.get(9)?])) / 256.0;
        let family = *fields.get(10)?;
        if version > 15 || channels == 0 {
            return None;
        }
        let (streams, coupled, mapping) = match family {
            0 if channels <= 2 => (1, channels - 1, vec![0, 1][..channels].to_vec()),
            0 => return None,
            _ => (usize::from(*fields.get(11)?), usize::from(*fields.get(12)?), fields.get(13..13 + channels)?.to_vec()),
        };
        let known = streams > 0 && coupled <= streams && streams + coupled <= MAX_CHANNELS;
        if !known || mapping.iter().any(|m| *m != 255 && usize::from(*m) >= streams + coupled) {
            return None;
        }
        let weights = if family <= 1 { vorbis_weights(channels) } else { mono::usual_weights(channels) };
        Some(Self { pre_skip, gain: 10f32.powf(decibels / 20.0), streams, coupled, mapping, weights })
    }
}

/// The weights of up to eight channels in the order that Vorbis has as well.
fn vorbis_weights(channels: usize) -> Vec<f32> {
    let (left, right, centre) = (Position::FRONT_LEFT, Position::FRONT_RIGHT, Position::FRONT_CENTER);
    let (rear_left, rear_right, rear) = (Position::REAR_LEFT, Position::REAR_RIGHT, Position::REAR_CENTER);
    let (side_left, side_right, low) = (Position::SIDE_LEFT, Position::SIDE_RIGHT, Position::LFE1);
    let order: &[Position] = match channels {
        3 => &[left, centre, right],
        4 => &[left, right, rear_left, rear_right],
        5 => &[left, centre, right, rear_left, rear_right],
        6 => &[left, centre, right, rear_left, rear_right, low],
        7 => &[left, centre, right, side_left, side_right, rear, low],
        8 => &[left, centre, right, side_left, side_right, rear_left, rear_right, low],
        _ => return mono::usual_weights(channels),
    };
    order.iter().map(|position| mono::weight(*position)).collect()
}
