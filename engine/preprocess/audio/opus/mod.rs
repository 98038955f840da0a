//! Opus, decoded as ffmpeg's own decoder does: speech (SILK) comes at its internal rate and is brought to 48 kHz by ffmpeg's resampler,
//! not by the one that the reference library has, whose delay is another.

mod head;
mod stream;

use ruopus::Packet;

pub(super) use head::Head;
use stream::Stream;

use crate::Result;

/// Samples per second that come out.
pub(super) const RATE: u32 = 48000;

/// All of a stream.
pub(super) struct Decoded {
    /// Mixed down to one channel.
    pub(super) samples: Vec<f32>,
    pub(super) head: Head,
    /// How many samples at the end ffmpeg's resampler holds back until there are no more packets.
    pub(super) late: usize,
}

/// A decoder of a file's packets.
pub(super) struct OpusDecoder {
    head: Head,
    streams: Vec<Stream>,
}

impl OpusDecoder {
    pub(super) fn new(head: Head) -> Self {
        let streams = (0..head.streams).map(|i| Stream::new(if i < head.coupled { 2 } else { 1 })).collect();
        Self { head, streams }
    }

    /// How many numbers each sample is kept as, and the one that they become.
    pub(super) fn width(&self) -> usize {
        self.streams.iter().map(|stream| stream.channels.len()).sum::<usize>() + 1
    }

    /// Decodes a packet and says how many samples it has; nothing where it is damaged.
    pub(super) fn decode(&mut self, mut data: &[u8]) -> Option<usize> {
        let mut packets = Vec::with_capacity(self.streams.len());
        for index in 0..self.streams.len() {
            let packet = if index + 1 == self.streams.len() {
                Packet::parse(data).ok()?
            } else {
                let (packet, length) = Packet::parse_self_delimited(data).ok()?;
                data = data.get(length..)?;
                packet
            };
            packets.push(packet);
        }
        let samples = |packet: &Packet| packet.frames().len() * packet.toc().frame_size().samples_per_channel_48k();
        let length = packets.first().map(samples)?;
        if packets.iter().any(|packet| samples(packet) != length) {
            return None;
        }
        for (stream, packet) in self.streams.iter_mut().zip(&packets) {
            for frame in packet.frames() {
                stream.decode(frame, packet);
            }
        }
        Some(length)
    }

    /// All that was decoded.
    pub(super) fn finish(mut self) -> Result<Decoded> {
        // The silence that the resampler starts with lasts for its whole length, but not at the lowest rate.
        let late = if self.streams.iter().any(Stream::ends_in_narrow_speech) { 24 } else { 0 };
        for stream in &mut self.streams {
            stream.end_speech()?;
        }
        let length = self.streams.iter().map(|stream| stream.channels[0].len()).min().unwrap_or(0);
        let mut mix = vec![0f32; length];
        for (channel, weight) in self.head.mapping.iter().zip(&self.head.weights) {
            let index = usize::from(*channel);
            let paired = self.head.coupled * 2;
            let (stream, side) = if index < paired { (index / 2, index % 2) } else { (index - paired + self.head.coupled, 0) };
            let Some(stream) = self.streams.get(stream).filter(|_| *channel != 255) else { continue };
            let weight = if self.head.mapping.len() == 1 { 1.0 } else { *weight } * self.head.gain;
            mix.iter_mut().zip(&stream.channels[side]).for_each(|(sum, x)| *sum += x * weight);
        }
        Ok(Decoded { samples: mix, head: self.head, late })
    }
}
