//! `automatic-speech-recognition`: what is said in a sound, with CTC models.

use std::num::NonZeroUsize;
use std::time::Duration;

use formers_models::Head;
use ndarray::ArrayViewD;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Medium, Parameters, Pipeline, Task, boxed, fits};
use crate::{
    Error, ErrorKind, Result,
    config::ModelConfig,
    model::{Model, Pretrained},
    preprocess::audio::{self, FeatureExtractor, Sound},
    preprocess::text::{CtcOffset, CtcText, Tokenizer},
    session,
};

/// What is said in sounds.
#[derive(Debug)]
pub struct AutomaticSpeechRecognition {
    model: Model,
    extractor: FeatureExtractor,
    tokenizer: Tokenizer,
    config: ModelConfig,
    /// Samples for each frame of the model (`inputs_to_logits_ratio`).
    align_to: usize,
    /// The fewest samples that the model's layers make a frame of.
    fewest: usize,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transcription {
    /// All of it.
    pub text: String,
    /// Its characters or words, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Vec<Chunk>>,
}

/// A character or a word, and when it was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chunk {
    /// The character or word.
    pub text: String,
    /// When it begins and ends, in seconds.
    pub timestamp: (f64, f64),
}

/// What gets timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamps {
    /// Each character.
    Char,
    /// Each word.
    Word,
}

/// How to listen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Options {
    /// Cuts long sounds into chunks of so many seconds; 0 takes them whole.
    pub chunk_length_s: f64,
    /// How many seconds at the start and end of a chunk only give context; a sixth of its length by default.
    pub stride_length_s: Option<(f64, f64)>,
    /// What gets timestamps, if anything.
    pub return_timestamps: Option<Timestamps>,
}

/// Part of a sound, with the samples at its start and end that only give context.
struct Part<'a> {
    samples: &'a [f32],
    stride: Option<(usize, usize)>,
}

impl AutomaticSpeechRecognition {
    /// What is said in a sound: a path, an http(s) address, a `data:` URL or base64.
    pub fn run(&self, sound: &str) -> Result<Transcription> {
        let sound = audio::read(&json!(sound), self.sampling_rate())?;
        self.transcribe(&sound, &Options::default())
    }

    /// Samples per second that the model wants.
    pub fn sampling_rate(&self) -> u32 {
        self.extractor.config().sampling_rate
    }

    /// What is said in a sound.
    pub fn transcribe(&self, sound: &Sound, options: &Options) -> Result<Transcription> {
        let mut ids = Vec::new();
        for part in self.parts(sound, options)? {
            let best = self.best_tokens(part.samples)?;
            ids.extend_from_slice(self.without_context(&best, &part));
        }
        // Classes are numbered from zero.
        let ids: Vec<u32> = ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect();
        let text = self.tokenizer.decode(&ids, false, None)?;
        let spans = options.return_timestamps.map(|timestamps| {
            let CtcText { char_offsets, word_offsets, .. } = self.tokenizer.decode_ctc(&ids, false).unwrap_or_default();
            match timestamps {
                Timestamps::Char => char_offsets,
                Timestamps::Word => word_offsets,
            }
        });
        let seconds = |frame: usize| (frame * self.align_to) as f64 / f64::from(self.sampling_rate());
        let chunk = |span: CtcOffset| Chunk { timestamp: (seconds(span.start_offset), seconds(span.end_offset)), text: span.text };
        let chunks = spans.map(|spans| spans.into_iter().map(chunk).collect());
        Ok(Transcription { text, chunks })
    }

    /// The sound as a whole, or in chunks that overlap by their strides.
    fn parts<'a>(&self, sound: &'a Sound, options: &Options) -> Result<Vec<Part<'a>>> {
        if options.chunk_length_s == 0.0 {
            return Ok(vec![Part { samples: &sound.samples, stride: sound.stride }]);
        }
        let (left, right) = options.stride_length_s.unwrap_or((options.chunk_length_s / 6.0, options.chunk_length_s / 6.0));
        let aligned = |seconds: f64| {
            let frames = (seconds * f64::from(self.sampling_rate()) / self.align_to as f64).round_ties_even();
            // Larger than any sound.
            (frames.clamp(0.0, 1e12) as usize).saturating_mul(self.align_to)
        };
        let (length, left, right) = (aligned(options.chunk_length_s), aligned(left), aligned(right));
        let Some(step) = length.checked_sub(left.saturating_add(right)).filter(|step| *step > 0) else {
            return Err(Error::request("parameters.chunk_length_s", "must be longer than both strides together"));
        };
        let mut parts = Vec::new();
        for start in (0..sound.samples.len()).step_by(step) {
            let last = start + length >= sound.samples.len();
            let samples = &sound.samples[start..sound.samples.len().min(start.saturating_add(length))];
            let stride = (if start == 0 { 0 } else { left }, if last { 0 } else { right });
            if samples.len() > stride.0 {
                parts.push(Part { samples, stride: Some(stride) });
            }
            if last {
                break;
            }
        }
        Ok(parts)
    }

    /// The best token of each frame.
    fn best_tokens(&self, samples: &[f32]) -> Result<Vec<i64>> {
        if samples.len() < self.fewest {
            let message = format!(
                "the sound has {} samples at {} Hz; the model's layers need at least {}",
                samples.len(),
                self.sampling_rate(),
                self.fewest
            );
            return Err(Error::request("inputs", message));
        }
        if !fits::has_room(samples.len() / self.align_to, &self.config) {
            let seconds = samples.len() as f64 / f64::from(self.sampling_rate());
            let message = format!("memory has no room for {seconds:.0} seconds at once; have them read in parts (chunk_length_s: 30)");
            return Err(Error::request("inputs", message));
        }
        let features = self.extractor.extract(&[samples])?;
        let session = self.model.session("model")?;
        let mut inputs = vec![(features.name, session::Value::from(features.values))];
        if session.input("attention_mask").is_some() {
            inputs.push(("attention_mask", session::Value::new(&[1, samples.len()], vec![1i64; samples.len()])?));
        }
        let outputs = self.model.run("model", inputs, &["logits"])?;
        let logits = outputs.f32("logits")?;
        if logits.ndim() != 3 || logits.shape()[0] != 1 {
            return Err(Error::new(ErrorKind::Runtime, format!("output \"logits\" has shape {:?} for one sound", logits.shape())));
        }
        Ok(logits.index_axis(ndarray::Axis(0), 0).outer_iter().map(best).collect())
    }

    /// The frames that are not context: strides are counted in samples, and rounded as the reference does.
    fn without_context<'a>(&self, frames: &'a [i64], part: &Part) -> &'a [i64] {
        let Some((left, right)) = part.stride else { return frames };
        let samples = part.samples.len() as f64;
        let total = (samples / self.align_to as f64).round_ties_even();
        let scaled = |side: usize| (side as f64 / samples * total).round_ties_even() as usize;
        let end = (total as usize).saturating_sub(scaled(right)).min(frames.len());
        frames.get(scaled(left)..end).unwrap_or_default()
    }
}

/// The place of the largest; the first of equal ones.
fn best(logits: ArrayViewD<f32>) -> i64 {
    let start = (0, f32::NEG_INFINITY);
    logits.iter().enumerate().fold(start, |best, (id, &x)| if x > best.1 { (id, x) } else { best }).0 as i64
}

impl Pipeline for AutomaticSpeechRecognition {
    const TASK: Task = Task {
        id: "automatic-speech-recognition",
        aliases: &["asr"],
        summary: "What is said in a sound",
        default_model: "facebook/wav2vec2-base-960h",
        heads: &[Head::Ctc],
        inputs: "a sound (path, http(s) address, data: URL or base64), an object {raw, sampling_rate}, or a list of them",
        fields: &[],
        parameters: &["chunk_length_s", "stride_length_s", "return_timestamps", "ignore_warning", "timeout", "batch_size"],
        medium: Medium::Audio,
        suits: super::labels::any,
        load: boxed::<Self>,
    };

    fn load(pretrained: &Pretrained) -> Result<Self> {
        let checkpoint = &pretrained.checkpoint;
        let at = |e: Error| e.at(checkpoint.name());
        let model = pretrained.model(Head::Ctc)?;
        model.session("model")?.check_inputs(&["input_values", "attention_mask"]).map_err(at)?;
        let (preprocessor, processor) = (checkpoint.json("preprocessor_config.json")?, checkpoint.json("processor_config.json")?);
        let extractor =
            FeatureExtractor::from_configs(preprocessor.as_ref(), processor.as_ref(), pretrained.config.model_type()).map_err(at)?;
        let tokenizer = pretrained.tokenizer()?;
        if tokenizer.decode_ctc(&[], false).is_none() {
            let message = format!(
                "the checkpoint's {} does not read the output of a CTC model; use a checkpoint with a Wav2Vec2CTCTokenizer",
                tokenizer.class()
            );
            return Err(at(Error::unsupported(message)));
        }
        let layers = layers(pretrained.config.value()).map_err(at)?;
        let wrong = || at(Error::config("config.json: conv_stride: the numbers are too large"));
        let align_to = layers.iter().try_fold(1usize, |product, (_, stride)| product.checked_mul(*stride)).ok_or_else(wrong)?;
        // From the last layer to the first: how many values there must be for one to come out.
        let fewest = layers.iter().rev().try_fold(1usize, |out, (kernel, stride)| (out - 1).checked_mul(*stride)?.checked_add(*kernel));
        Ok(Self { model, extractor, tokenizer, config: pretrained.config.clone(), align_to, fewest: fewest.ok_or_else(wrong)? })
    }

    fn call_many(&self, inputs: &[Value], mut parameters: Parameters) -> Result<Vec<Result<Value>>> {
        let options = Options {
            chunk_length_s: parameters.take("chunk_length_s")?.unwrap_or(0.0),
            stride_length_s: stride_length_s(&mut parameters)?,
            return_timestamps: return_timestamps(&mut parameters)?,
        };
        parameters.take::<Value>("ignore_warning")?;
        let timeout = parameters.take_seconds("timeout")?;
        // Sounds run one by one, which is within any size.
        parameters.take::<NonZeroUsize>("batch_size")?;
        parameters.finish(Self::TASK.parameters)?;
        Ok(inputs.iter().map(|input| self.call_one(input, timeout, &options)).collect())
    }
}

impl AutomaticSpeechRecognition {
    fn call_one(&self, input: &Value, timeout: Option<Duration>, options: &Options) -> Result<Value> {
        let sound = audio::read_within(input, self.sampling_rate(), timeout)?;
        let mut answer = json!(self.transcribe(&sound, options)?);
        if let Value::Object(answer) = &mut answer {
            // Once for each part that the sound was cut into.
            let parts = self.parts(&sound, options)?.len();
            answer.extend(sound.extra.into_iter().map(|(name, value)| (name, Value::Array(vec![value; parts]))));
        }
        Ok(answer)
    }
}

/// The kernels and strides of the convolutions over the wave; their defaults are those of wav2vec 2.0.
fn layers(config: &Value) -> Result<Vec<(usize, usize)>> {
    let list = |key: &str, default: &[usize]| -> Result<Vec<usize>> {
        let wrong = || Error::config(format!("config.json: {key}: expected a list of positive numbers"));
        let Some(value) = config.get(key) else { return Ok(default.to_vec()) };
        let positive = |number: &Value| number.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
        value.as_array().and_then(|list| list.iter().map(positive).collect()).ok_or_else(wrong)
    };
    let strides = list("conv_stride", &[5, 2, 2, 2, 2, 2, 2])?;
    let kernels = list("conv_kernel", &[10, 3, 3, 3, 3, 2, 2])?;
    // A model with other layers than these says so in one of the lists only; then a value is made of one.
    let kernel = |layer: usize| if kernels.len() == strides.len() { kernels[layer] } else { 1 };
    Ok(strides.iter().enumerate().map(|(layer, stride)| (kernel(layer), *stride)).collect())
}

/// One number for both sides, or a pair.
fn stride_length_s(parameters: &mut Parameters) -> Result<Option<(f64, f64)>> {
    let Some(value) = parameters.take::<Value>("stride_length_s")? else { return Ok(None) };
    let pair = value.as_array().map(|pair| pair.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
    match (value.as_f64(), pair.flatten().as_deref()) {
        (Some(both), _) => Ok(Some((both, both))),
        (None, Some([left, right])) => Ok(Some((*left, *right))),
        _ => Err(Error::request("parameters.stride_length_s", "expected a number of seconds, or two")),
    }
}

fn return_timestamps(parameters: &mut Parameters) -> Result<Option<Timestamps>> {
    let Some(value) = parameters.take::<Value>("return_timestamps")? else { return Ok(None) };
    match value.as_str() {
        Some("char") => Ok(Some(Timestamps::Char)),
        Some("word") => Ok(Some(Timestamps::Word)),
        _ => Err(Error::request("parameters.return_timestamps", format!("CTC models give \"char\" or \"word\" timestamps, not {value}"))),
    }
}
