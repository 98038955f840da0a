//! A sound file becomes mono samples in [-1, 1], at the file's own rate.

use std::collections::VecDeque;
use std::io::Cursor;

use formers_converters::content::has_room;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SoundError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::Duration;

use super::opus::{self, OpusDecoder};
use super::{containers, mono, ogg, wave};
use crate::{Error, ErrorKind, Result, preprocess::media::guarded};

/// The most samples that are read of one sound: more than nine hours at 16 kHz.
pub const MAX_SAMPLES: usize = 1 << 29;

/// The lowest sampling rate, in samples per second: below it a small file would be hours of sound.
pub const MIN_RATE: u32 = 100;

/// As many channels as no sound has: the decoding library counts with them before it asks whether it knows so many.
const MAX_CHANNELS: u16 = 512;

/// Sound in one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Waveform {
    /// Samples in [-1, 1] (mixing down channels can leave that range).
    pub samples: Vec<f32>,
    /// Samples per second.
    pub sampling_rate: u32,
}

/// Decodes WAV (with RF64 and W64), FLAC, Ogg (Vorbis, Opus, FLAC), MP3, MP4 (AAC, ALAC, Opus), Matroska and WebM, AIFF or CAF, and
/// mixes the channels down. Of a file that is cut off, what is there is read. `name` says in errors which input it was.
pub fn decode_mono(bytes: Vec<u8>, name: &str) -> Result<Waveform> {
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Media, format!("{name}: the sound is empty (0 bytes)")));
    }
    guarded(name, || Decoding::new(wave::with_short_chunks(bytes), name)?.run())
}

/// A file that is being decoded.
struct Decoding<'a> {
    name: &'a str,
    format: Box<dyn FormatReader>,
    /// Whether channels are where they usually are.
    usual_channels: bool,
    /// Samples to leave out at the start.
    delay: usize,
    /// Samples of Opus to leave out at the end.
    padding: usize,
    /// How the streams of an Ogg file end, those that are still to come.
    ends: VecDeque<ogg::Ends>,
    sound: Waveform,
    /// What went wrong last. Broken packets are skipped and a cut-off end is the end, as in ffmpeg.
    trouble: Option<SoundError>,
}

impl<'a> Decoding<'a> {
    fn new(bytes: Vec<u8>, name: &'a str) -> Result<Self> {
        if let Some(channels @ MAX_CHANNELS..) = containers::wave_channels(&bytes) {
            return Err(Error::new(ErrorKind::Media, format!("{name}: the sound has {channels} channels, which is too many")));
        }
        let usual_channels = containers::is_wave_without_positions(&bytes);
        let delay = containers::mp4_delay(&bytes).unwrap_or(0);
        let nanoseconds = containers::matroska_padding(&bytes).unwrap_or(0);
        let padding = (nanoseconds * u64::from(opus::RATE) / 1_000_000_000) as usize;
        let ends = ogg::Ends::of_file(&bytes);
        let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
        let format = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|e| {
                let known = "WAV, FLAC, Ogg, MP3, MP4, Matroska, AIFF, CAF";
                Error::new(ErrorKind::Media, format!("{name}: not a sound in a known format ({known}): {e}"))
            })?;
        let sound = Waveform { samples: Vec::new(), sampling_rate: 0 };
        Ok(Self { name, format, usual_channels, delay, padding, ends, sound, trouble: None })
    }

    fn wrong(&self, message: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Media, format!("{}: {message}", self.name))
    }

    fn run(mut self) -> Result<Waveform> {
        // Streams that follow each other in one file are one sound.
        while self.stream()? {}
        let delay = self.sound.samples.len().min(self.delay);
        self.sound.samples.drain(..delay);
        if self.sound.samples.is_empty() || self.sound.sampling_rate == 0 {
            let reason = self.trouble.as_ref().map_or(String::new(), |e| format!(": {e}"));
            return Err(self.wrong(format!("the file holds no sound that can be decoded{reason}")));
        }
        if self.sound.sampling_rate < MIN_RATE {
            let rate = self.sound.sampling_rate;
            return Err(self.wrong(format!("a sampling rate of {rate} Hz; sounds of at least {MIN_RATE} Hz are read")));
        }
        Ok(self.sound)
    }

    /// Decodes one stream; says whether another one follows.
    fn stream(&mut self) -> Result<bool> {
        let track = self.format.default_track(TrackType::Audio).ok_or_else(|| self.wrong("the file has no sound"))?;
        let id = track.id;
        let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).cloned();
        let parameters = parameters.ok_or_else(|| self.wrong("the sound has an unknown coding"))?;
        let ends = self.ends.pop_front();
        if parameters.codec == CODEC_ID_OPUS {
            return self.opus(id, &parameters, ends);
        }
        let mut decoder = symphonia::default::get_codecs()
            .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
            .map_err(|e| self.wrong(format!("the sound's coding is not supported: {e}")))?;
        let ends = ends.filter(|_| parameters.codec == CODEC_ID_VORBIS);
        let mut interleaved = Vec::new();
        let (start, mut last) = (self.sound.samples.len(), 0);
        let follows = loop {
            let mut packet = match self.packet(id) {
                Next::Packet(packet) => packet,
                Next::Stream => break true,
                Next::End => break false,
            };
            // Reading from a pipe, as the reference does, ffmpeg drops what encoders put before the sound; what they put behind it
            // only where an Ogg file says how much.
            let surplus = std::mem::replace(&mut packet.trim_end, Duration::ZERO).get() as usize;
            last = self.decode(decoder.as_mut(), &packet, &mut interleaved)?;
            if ends.as_ref().is_some_and(|ends| ends.cuts_vorbis(surplus, last)) {
                let length = self.sound.samples.len();
                self.sound.samples.truncate(length - surplus);
            }
        };
        let length = self.sound.samples.len();
        let surplus = ends.and_then(|ends| ends.vorbis_surplus(length.saturating_sub(start))).unwrap_or(0);
        self.sound.samples.truncate(length - surplus.min(last));
        Ok(follows)
    }

    /// The next packet of a track.
    fn packet(&mut self, track: u32) -> Next {
        loop {
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == track => return Next::Packet(packet),
                Ok(Some(_)) => {}
                Ok(None) => return Next::End,
                Err(SoundError::ResetRequired) => return Next::Stream,
                Err(e) => {
                    self.trouble = Some(e);
                    return Next::End;
                }
            }
        }
    }

    /// Decodes a packet and says how many samples it had.
    fn decode(&mut self, decoder: &mut dyn AudioDecoder, packet: &Packet, interleaved: &mut Vec<f32>) -> Result<usize> {
        let decoded = match decoder.decode(packet) {
            Ok(decoded) => decoded,
            Err(e @ (SoundError::DecodeError(_) | SoundError::IoError(_))) => {
                self.trouble = Some(e);
                return Ok(0);
            }
            Err(e) => return Err(self.wrong(format!("the sound could not be decoded: {e}"))),
        };
        let frames = decoded.frames();
        self.grow(frames, decoded.spec().rate())?;
        let weights =
            if self.usual_channels { mono::usual_weights(decoded.num_planes()) } else { mono::weights(decoded.spec().channels()) };
        decoded.copy_to_vec_interleaved(interleaved);
        match weights.as_slice() {
            [] => return Err(self.wrong("the sound has no channels")),
            [_] => self.sound.samples.extend_from_slice(interleaved),
            weights => {
                let mix = |frame: &[f32]| frame.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>();
                self.sound.samples.extend(interleaved.chunks_exact(weights.len()).map(mix));
            }
        }
        Ok(frames)
    }

    /// Checks that the sound may become this much longer, at this rate.
    fn grow(&mut self, more: usize, rate: u32) -> Result<()> {
        if self.sound.sampling_rate == 0 {
            self.sound.sampling_rate = rate;
        } else if self.sound.sampling_rate != rate {
            let first = self.sound.sampling_rate;
            return Err(self.wrong(format!("the sampling rate changes from {first} to {rate} within the sound")));
        }
        if self.sound.samples.len() + more > MAX_SAMPLES {
            return Err(self.wrong(format!("the sound is longer than {MAX_SAMPLES} samples; cut it into parts")));
        }
        if self.sound.samples.try_reserve(more).is_err() {
            return Err(
                self.wrong(format!("memory has no room for more than {} samples; cut the sound into parts", self.sound.samples.len()))
            );
        }
        Ok(())
    }

    /// Decodes a stream of Opus; says whether another one follows.
    fn opus(&mut self, track: u32, parameters: &AudioCodecParameters, ends: Option<ogg::Ends>) -> Result<bool> {
        let head = parameters.extra_data.as_deref().and_then(opus::Head::parse);
        let mut decoder = OpusDecoder::new(head.ok_or_else(|| self.wrong("the sound's Opus header is damaged"))?);
        let (mut length, mut last, mut roomy) = (0, 0, 0);
        let follows = loop {
            let packet = match self.packet(track) {
                Next::Packet(packet) => packet,
                Next::Stream => break true,
                Next::End => break false,
            };
            match decoder.decode(&packet.data) {
                Some(samples) => (length, last) = (length + samples, samples),
                None => self.trouble = Some(SoundError::DecodeError("opus: a damaged packet")),
            }
            self.grow(length, opus::RATE)?;
            if length > roomy {
                roomy = length * 2;
                if !has_room((roomy * decoder.width() * size_of::<f32>()) as u64) {
                    return Err(
                        self.wrong(format!("memory has no room for more than {length} samples of each channel; cut the sound into parts"))
                    );
                }
            }
        };
        let opus::Decoded { mut samples, head, late } = decoder.finish()?;
        let surplus = ends.map_or(self.padding, |ends| ends.opus_surplus(length)).min(last);
        // Cut from the last packet, before what comes only once there are no more packets.
        let end = samples.len().saturating_sub(late);
        samples.drain(end.saturating_sub(surplus)..end);
        // An edit list says itself how much is left out at the start.
        let skipped = if self.delay > 0 { 0 } else { head.pre_skip.min(samples.len()) };
        self.sound.samples.extend_from_slice(&samples[skipped..]);
        Ok(follows)
    }
}

/// What follows in a file.
enum Next {
    Packet(Packet),
    Stream,
    End,
}
