//! How channels are mixed down to one, as ffmpeg does for floating point output: louder than a mean, and without the subwoofer.

use symphonia::core::audio::{Channels, Position};

/// The weight of each channel, in the order of the samples.
pub(super) fn weights(channels: &Channels) -> Vec<f32> {
    match channels {
        Channels::Positioned(positions) if channels.count() > 1 => positions.iter().map(weight).collect(),
        other => usual_weights(other.count()),
    }
}

/// The weight of each channel where only their number is known.
pub(super) fn usual_weights(count: usize) -> Vec<f32> {
    if count == 1 {
        return vec![1.0];
    }
    let mut weights: Vec<f32> = usual(count).iter().map(weight).collect();
    weights.resize(count, 0.0);
    weights
}

/// The weight of a place.
pub(super) fn weight(position: Position) -> f32 {
    use std::f32::consts::FRAC_1_SQRT_2;
    let front = Position::FRONT_LEFT | Position::FRONT_RIGHT | Position::FRONT_LEFT_CENTER | Position::FRONT_RIGHT_CENTER;
    let behind = Position::REAR_LEFT | Position::REAR_RIGHT | Position::REAR_CENTER | Position::SIDE_LEFT | Position::SIDE_RIGHT;
    if position == Position::FRONT_CENTER {
        1.0
    } else if front.contains(position) {
        FRAC_1_SQRT_2
    } else if behind.contains(position) {
        0.5
    } else {
        0.0
    }
}

/// Where the speakers usually stand when a file gives only their number.
fn usual(count: usize) -> Position {
    let front = Position::FRONT_LEFT | Position::FRONT_RIGHT;
    let rear = Position::REAR_LEFT | Position::REAR_RIGHT;
    let side = Position::SIDE_LEFT | Position::SIDE_RIGHT;
    match count {
        3 => front | Position::LFE1,
        4 => front | Position::FRONT_CENTER | Position::REAR_CENTER,
        5 => front | Position::FRONT_CENTER | rear,
        6 => front | Position::FRONT_CENTER | Position::LFE1 | rear,
        7 => front | Position::FRONT_CENTER | Position::LFE1 | Position::REAR_CENTER | side,
        8 => front | Position::FRONT_CENTER | Position::LFE1 | rear | side,
        _ => front,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_ffmpeg_s() {
        let half = std::f32::consts::FRAC_1_SQRT_2;
        let cases: [(u16, &[f32]); 5] = [
            (1, &[1.0]),
            (2, &[half, half]),
            (4, &[half, half, 1.0, 0.5]),
            (6, &[half, half, 1.0, 0.0, 0.5, 0.5]),
            (7, &[half, half, 1.0, 0.0, 0.5, 0.5, 0.5]),
        ];
        for (count, expected) in cases {
            assert_eq!(weights(&Channels::Discrete(count)), expected, "{count}");
        }
        assert_eq!(weights(&Channels::Discrete(20)).len(), 20);
    }
}
