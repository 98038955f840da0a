//! A sound file becomes mono samples in [-1, 1], at the file's own rate.

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SoundError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::Duration;

use super::{containers, mono};
use crate::{Error, ErrorKind, Result, preprocess::media::guarded};

/// The most samples that are read of one sound: more than nine hours at 16 kHz.
pub const MAX_SAMPLES: usize = 1 << 29;

/// Sound in one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Waveform {
    /// Samples in [-1, 1] (mixing down channels can leave that range).
    pub samples: Vec<f32>,
    /// Samples per second.
    pub sampling_rate: u32,
}

/// Decodes WAV, FLAC, Ogg Vorbis, MP3, AAC in MP4, Matroska, AIFF or CAF, and mixes the channels down. Of a file that is cut off,
/// what is there is read. `name` says in errors which input it was.
pub fn decode_mono(bytes: Vec<u8>, name: &str) -> Result<Waveform> {
    let media = |message: String| Error::new(ErrorKind::Media, format!("{name}: {message}"));
    if bytes.is_empty() {
        return Err(media("the sound is empty (0 bytes)".into()));
    }
    guarded(name, || decode(bytes, name))
}

fn decode(bytes: Vec<u8>, name: &str) -> Result<Waveform> {
    let media = |message: String| Error::new(ErrorKind::Media, format!("{name}: {message}"));
    let unknown = |e: SoundError| media(format!("not a sound in a known format (WAV, FLAC, Ogg, MP3, MP4, Matroska, AIFF, CAF): {e}"));
    let usual_channels = containers::is_wave_without_positions(&bytes);
    let delay = containers::mp4_delay(&bytes).unwrap_or(0);
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(unknown)?;
    let track = format.default_track(TrackType::Audio).ok_or_else(|| media("the file has no sound".into()))?;
    let track_id = track.id;
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or_else(|| media("the sound has an unknown coding".into()))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|e| media(format!("the sound's coding is not supported: {e}")))?;

    let mut sound = Waveform { samples: Vec::new(), sampling_rate: 0 };
    let mut interleaved: Vec<f32> = Vec::new();
    // Broken packets are skipped and a cut-off end is the end, as in ffmpeg; what counts is whether there was any sound.
    let mut trouble = None;
    loop {
        let mut packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(e) => {
                trouble = Some(e);
                break;
            }
        };
        if packet.track_id != track_id {
            continue;
        }
        // Reading from a pipe, as the reference does, ffmpeg drops what encoders put before the sound but not what they put behind it.
        packet.trim_end = Duration::ZERO;
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(e @ (SoundError::DecodeError(_) | SoundError::IoError(_))) => {
                trouble = Some(e);
                continue;
            }
            Err(e) => return Err(media(format!("the sound could not be decoded: {e}"))),
        };
        let rate = decoded.spec().rate();
        if sound.sampling_rate == 0 {
            sound.sampling_rate = rate;
        } else if sound.sampling_rate != rate {
            return Err(media(format!("the sampling rate changes from {} to {rate} within the sound", sound.sampling_rate)));
        }
        if sound.samples.len() + decoded.frames() > MAX_SAMPLES {
            return Err(media(format!("the sound is longer than {MAX_SAMPLES} samples; cut it into parts")));
        }
        let weights = if usual_channels { mono::usual_weights(decoded.num_planes()) } else { mono::weights(decoded.spec().channels()) };
        decoded.copy_to_vec_interleaved(&mut interleaved);
        match weights.as_slice() {
            [] => return Err(media("the sound has no channels".into())),
            [_] => sound.samples.extend_from_slice(&interleaved),
            weights => sound
                .samples
                .extend(interleaved.chunks_exact(weights.len()).map(|frame| frame.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>())),
        }
    }
    sound.samples.drain(..sound.samples.len().min(delay));
    if sound.samples.is_empty() || sound.sampling_rate == 0 {
        let reason = trouble.map_or(String::new(), |e| format!(": {e}"));
        return Err(media(format!("the file holds no sound that can be decoded{reason}")));
    }
    Ok(sound)
}
