//! One of a file's streams: music (CELT) as it is decoded, speech (SILK) resampled, and what leads from one to the other.

use ruopus::celt::decoder::CeltDecoder;
use ruopus::silk::api::{DecControl, SilkDecoder};
use ruopus::{Bandwidth, Mode, Packet, RangeDecoder};

use super::RATE;
use crate::Result;
use crate::preprocess::audio::resample;

/// Samples over which two decodings are mixed at a change of mode.
const FADE: usize = 120;

/// One of a file's streams, with one channel or two.
pub(super) struct Stream {
    silk: SilkDecoder,
    celt: CeltDecoder,
    /// What is decoded, at 48 kHz; during speech, without it.
    pub(super) channels: Vec<Vec<f32>>,
    /// The stretch of speech that is being decoded.
    speech: Option<Speech>,
}

/// Frames of speech with one internal rate, one after the other.
struct Speech {
    control: DecControl,
    /// Where it begins in the stream, in samples at 48 kHz.
    start: usize,
    /// The samples of each channel at the internal rate, behind those that the decoder keeps back.
    channels: Vec<Vec<f32>>,
    /// Short frames that lead into speech or out of it.
    fades: Vec<Fade>,
}

/// Five milliseconds that were coded twice.
struct Fade {
    /// Where it begins.
    start: usize,
    /// Whether speech follows: else it comes from there.
    into_speech: bool,
    /// Interleaved samples.
    samples: Vec<f32>,
}

impl Stream {
    pub(super) fn new(channels: usize) -> Self {
        Self { silk: SilkDecoder::new(), celt: CeltDecoder::new(channels), channels: vec![Vec::new(); channels], speech: None }
    }

    /// Whether the last frame was speech at the lowest rate.
    pub(super) fn ends_in_narrow_speech(&self) -> bool {
        self.speech.as_ref().is_some_and(|speech| speech.control.internal_sample_rate == 8000)
    }

    /// Decodes a frame. One that is damaged is silence.
    pub(super) fn decode(&mut self, frame: &[u8], packet: &Packet) {
        let (mode, bandwidth) = (packet.toc().mode(), packet.toc().bandwidth());
        let samples = packet.toc().frame_size().samples_per_channel_48k();
        let coded = usize::from(packet.toc().channels());
        let outputs = self.channels.len();
        let start = self.channels[0].len();
        let end_band = match bandwidth {
            Bandwidth::NarrowBand => 13,
            Bandwidth::MediumBand | Bandwidth::WideBand => 17,
            Bandwidth::SuperWideBand => 19,
            Bandwidth::FullBand => 21,
        };
        let mut decoder = RangeDecoder::new(frame);
        let mut length = frame.len();
        let mut redundant = None;
        if mode == Mode::CeltOnly {
            // Errors here come from absurd rates only, and there are three of these.
            let _ = self.end_speech();
            self.silk = SilkDecoder::new();
        } else {
            let internal = match (mode, bandwidth) {
                (Mode::SilkOnly, Bandwidth::NarrowBand) => 8000,
                (Mode::SilkOnly, Bandwidth::MediumBand) => 12000,
                _ => 16000,
            };
            self.decode_speech(&mut decoder, internal, coded, samples);
            // Speech may end with a frame that leads to another mode.
            let used = decoder.tell() as usize;
            let follows = match mode {
                Mode::Hybrid if used + 37 <= length * 8 => decoder.decode_bit_logp(12),
                Mode::SilkOnly => used + 17 <= length * 8,
                _ => false,
            };
            if follows {
                let into_speech = decoder.decode_bit_logp(1);
                let size = match mode {
                    Mode::Hybrid => decoder.decode_uint(256).unwrap_or(0) as usize + 2,
                    _ => length.saturating_sub(used.div_ceil(8)),
                };
                if size <= length {
                    length -= size;
                    redundant = Some((into_speech, &frame[length..]));
                    decoder.shrink_storage(length);
                }
            }
        }
        let mut fades = Vec::new();
        if let Some((true, data)) = redundant {
            let samples = self.celt.decode_frame(&mut RangeDecoder::new(data), data.len(), 2 * FADE, coded, 0, end_band);
            fades.push(Fade { start, into_speech: true, samples });
            self.celt = CeltDecoder::new(outputs);
        }
        if mode == Mode::SilkOnly {
            self.celt = CeltDecoder::new(outputs);
            self.channels.iter_mut().for_each(|channel| channel.resize(start + samples, 0.0));
        } else {
            let first_band = if mode == Mode::Hybrid { 17 } else { 0 };
            let decoded = self.celt.decode_frame(&mut decoder, length, samples, coded, first_band, end_band);
            for (side, channel) in self.channels.iter_mut().enumerate() {
                channel.extend(decoded.chunks_exact(outputs).map(|frame| frame[side]));
                channel.resize(start + samples, 0.0);
            }
        }
        if let Some((false, data)) = redundant {
            self.celt = CeltDecoder::new(outputs);
            let audio = self.celt.decode_frame(&mut RangeDecoder::new(data), data.len(), 2 * FADE, coded, 0, end_band);
            fades.push(Fade { start: (start + samples).saturating_sub(FADE), into_speech: false, samples: audio });
        }
        if let Some(speech) = &mut self.speech {
            speech.fades.extend(fades);
        }
    }

    /// The part of a frame that is coded as speech.
    fn decode_speech(&mut self, decoder: &mut RangeDecoder, internal: i32, coded: usize, samples: usize) {
        if self.speech.as_ref().is_some_and(|speech| speech.control.internal_sample_rate != internal) {
            let _ = self.end_speech();
        }
        let outputs = self.channels.len();
        let control = DecControl {
            channels_internal: coded,
            channels_api: outputs,
            internal_sample_rate: internal,
            // As it is: the decoder then only delays it.
            api_sample_rate: internal,
            payload_size_ms: samples / 48,
        };
        let start = self.channels[0].len();
        let speech = self.speech.get_or_insert_with(|| Speech { control, start, channels: vec![Vec::new(); outputs], fades: Vec::new() });
        speech.control = control;
        let mut decoded = Vec::new();
        for call in 0..control.payload_size_ms.div_ceil(20) {
            self.silk.decode(decoder, &control, call == 0, &mut decoded);
        }
        append(&mut speech.channels, &decoded);
    }

    /// Brings the speech so far to 48 kHz and adds it to what else was decoded.
    pub(super) fn end_speech(&mut self) -> Result<()> {
        let Some(mut speech) = self.speech.take() else { return Ok(()) };
        // What the decoder keeps back comes out with the start of one more frame, as if that had been lost.
        let (kept_back, delay) = match speech.control.internal_sample_rate {
            8000 => (4, 4),
            12000 => (9, 8),
            _ => (12, 11),
        };
        // Of one channel, unlike of two, the reference library's decoder holds one more back.
        let kept_back = kept_back - usize::from(speech.control.channels_internal == 1);
        let mut last = Vec::new();
        self.silk.decode_lost(&DecControl { payload_size_ms: 20, ..speech.control }, &mut last);
        last.truncate(kept_back * speech.channels.len());
        append(&mut speech.channels, &last);
        let length = self.channels[0].len() - speech.start;
        for (channel, samples) in self.channels.iter_mut().zip(&speech.channels) {
            // ffmpeg feeds its resampler some silence first.
            let mut delayed = vec![0.0; delay];
            delayed.extend_from_slice(samples.get(kept_back..).unwrap_or_default());
            let at_48_khz = resample::resample_speech(&delayed, speech.control.internal_sample_rate as u32, RATE)?;
            channel[speech.start..].iter_mut().zip(at_48_khz.iter().take(length)).for_each(|(sum, x)| *sum += x);
        }
        for fade in &speech.fades {
            let count = self.channels.len();
            for (side, channel) in self.channels.iter_mut().enumerate() {
                let twice: Vec<f32> = fade.samples.chunks_exact(count).map(|frame| frame[side]).collect();
                let Some(place) = channel.get_mut(fade.start..) else { continue };
                mix(place, &twice, fade.into_speech);
            }
        }
        Ok(())
    }
}

/// Interleaved samples of 16 bits to the end of each channel.
fn append(channels: &mut [Vec<f32>], interleaved: &[i16]) {
    let count = channels.len();
    for (side, channel) in channels.iter_mut().enumerate() {
        channel.extend(interleaved.chunks_exact(count).map(|frame| f32::from(frame[side]) / 32768.0));
    }
}

/// Into speech: the first half replaces what is there, and the second one becomes it. Out of speech: the second half takes over.
fn mix(place: &mut [f32], twice: &[f32], into_speech: bool) {
    let (first, second) = twice.split_at(FADE.min(twice.len()));
    let place = if into_speech && place.len() >= FADE {
        let (replaced, rest) = place.split_at_mut(FADE);
        replaced.iter_mut().zip(first).for_each(|(out, x)| *out = *x);
        rest
    } else {
        place
    };
    for (i, (out, x)) in place.iter_mut().zip(second).enumerate() {
        let rising = window_squared(i);
        let weight = if into_speech { 1.0 - rising } else { rising };
        *out = x * weight + *out * (1.0 - weight);
    }
}

/// The square of CELT's window, which rises from 0 to 1 over the fade.
fn window_squared(i: usize) -> f32 {
    use std::f64::consts::FRAC_PI_2;
    let inner = (FRAC_PI_2 * (i as f64 + 0.5) / FADE as f64).sin();
    (FRAC_PI_2 * inner * inner).sin().powi(2) as f32
}
