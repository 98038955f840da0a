//! `generation_config.json`, and how it, a pipeline's defaults and the arguments of a call become one configuration.
//!
//! The precedence is that of version 5 of the reference (`_prepare_generation_config`): the arguments of the call (null
//! included), then the pipeline's own defaults for what neither the call nor the checkpoint sets, then the checkpoint, then the
//! library's defaults. Pipelines of version 4 (summarization, translation) differ: there 256 new tokens win over the
//! checkpoint's `max_new_tokens` and over a `max_length` of the call, so they must pass `max_new_tokens` as an argument.

mod checkpoint;
mod fields;
mod others;
mod watermarking;

use serde_json::{Map, Value};

pub use checkpoint::GenerationDefaults;
use checkpoint::KNOWN;
use fields::Fields;
use others::{is_off, is_without_effect};
pub use watermarking::Watermarking;

use super::truth;
use crate::{
    Error, ErrorKind, Result,
    pipelines::{did_you_mean, elsewhere},
};

/// When beam search stops looking for better sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EarlyStopping {
    /// `false`: when the best open beam, at its present length, cannot beat the worst finished one.
    #[default]
    Heuristic,
    /// `true`: as soon as there are `num_beams` finished sequences.
    Always,
    /// `"never"`: when no open beam could beat the worst finished one at any length.
    Never,
}

/// How to generate, with every default filled in. The fields are those of the reference's `GenerationConfig`; see there.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct GenerationConfig {
    /// Prompt and new tokens; `None` where nobody set it (then 20 new tokens, see [`GenerationConfig::lengths`]).
    pub max_length: Option<i64>,
    pub max_new_tokens: Option<usize>,
    /// Prompt and new tokens.
    pub min_length: i64,
    pub min_new_tokens: Option<usize>,
    pub early_stopping: EarlyStopping,
    /// Seconds.
    pub max_time: Option<f64>,
    pub stop_strings: Vec<String>,
    pub do_sample: bool,
    pub num_beams: usize,
    pub num_return_sequences: usize,
    pub temperature: f64,
    /// `None` and 0 turn it off.
    pub top_k: Option<i64>,
    pub top_p: Option<f64>,
    pub min_p: Option<f64>,
    pub top_h: Option<f64>,
    pub typical_p: Option<f64>,
    pub epsilon_cutoff: Option<f64>,
    pub eta_cutoff: Option<f64>,
    pub repetition_penalty: f64,
    pub encoder_repetition_penalty: f64,
    pub length_penalty: f64,
    pub no_repeat_ngram_size: i64,
    pub encoder_no_repeat_ngram_size: i64,
    pub bad_words_ids: Option<Vec<Vec<u32>>>,
    pub sequence_bias: Option<Vec<(Vec<u32>, f64)>>,
    pub renormalize_logits: bool,
    pub remove_invalid_values: bool,
    pub forced_bos_token_id: Option<u32>,
    pub forced_eos_token_id: Option<Vec<u32>>,
    /// Where it starts, counted from the prompt's end, and its factor.
    pub exponential_decay_length_penalty: Option<(i64, f64)>,
    pub suppress_tokens: Option<Vec<i64>>,
    pub begin_suppress_tokens: Option<Vec<i64>>,
    pub guidance_scale: Option<f64>,
    /// Takes the place of the last token of the prompt in guidance; an argument of the reference's `generate`.
    pub negative_prompt_ids: Option<Vec<u32>>,
    pub watermarking: Option<Watermarking>,
    pub pad_token_id: Option<i64>,
    pub bos_token_id: Option<i64>,
    /// One or several; negative ones never come up.
    pub eos_token_id: Option<Vec<i64>>,
    pub decoder_start_token_id: Option<i64>,
    pub prompt_lookup_num_tokens: Option<usize>,
    pub max_matching_ngram_size: Option<usize>,
    pub num_assistant_tokens: usize,
    /// `constant`, `heuristic` or `heuristic_transient`.
    pub num_assistant_tokens_schedule: String,
    pub assistant_confidence_threshold: f64,
    /// How much the model counts against its assistant: below 1 guesses are taken that the model itself would not say.
    pub assistant_ensemble_weight: Option<f64>,
    pub assistant_lookbehind: usize,
    pub target_lookbehind: usize,
    pub output_scores: bool,
    pub output_logits: bool,
    /// Whether the answers of a pipeline tell scores and logits.
    pub return_dict_in_generate: bool,
    /// Keeps the logarithm of each new token's probability; not a field of the reference.
    pub logprobs: bool,
    /// Makes sampling repeatable; not a field of the reference, which seeds its framework.
    pub seed: Option<u64>,
}

/// How long an answer may and must be, prompt included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// Generation stops at so many tokens.
    pub max_length: usize,
    /// End tokens are out below so many.
    pub min_length: i64,
}

/// Pipelines' defaults for these hold only when sampling.
const SAMPLING: &[&str] = &["temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"];

impl GenerationConfig {
    /// The parameters that a call may have.
    pub const PARAMETERS: &'static [&'static str] = KNOWN;

    /// Whether a call may have an argument of this name.
    pub fn knows(name: &str) -> bool {
        KNOWN.contains(&name) || is_off(name, &Value::Null).or_else(|| is_without_effect(name, &Value::Null)).is_some()
    }

    /// The configuration of a call: its arguments over the pipeline's defaults, the checkpoint's and the library's.
    pub fn resolve(checkpoint: &GenerationDefaults, pipeline: &Map<String, Value>, call: &Map<String, Value>) -> Result<Self> {
        let mut fields: Map<String, Value> = checkpoint.fields.clone();
        for (name, value) in call {
            match is_off(name, value).or_else(|| is_without_effect(name, value)) {
                None if !KNOWN.contains(&name.as_str()) => {
                    let message = elsewhere::told(name, KNOWN).map_or_else(
                        || {
                            let meant = did_you_mean(name, KNOWN.iter().copied());
                            format!("no such generation parameter{meant}; there are {}", KNOWN.join(", "))
                        },
                        |told| format!("no such generation parameter: {told}"),
                    );
                    return Err(Error::request(name, message));
                }
                Some(false) => return Err(Error::new(ErrorKind::Unsupported, format!("{name}: {value} is not supported"))),
                _ => fields.insert(name.clone(), value.clone()),
            };
        }
        let sampling = fields.get("do_sample").or(pipeline.get("do_sample")).and_then(truth) == Some(true);
        let max_length_is_set = fields.contains_key("max_length");
        for (name, value) in pipeline {
            let skip = (name == "max_new_tokens" && max_length_is_set) || (SAMPLING.contains(&name.as_str()) && !sampling);
            if !skip && !fields.contains_key(name) {
                fields.insert(name.clone(), value.clone());
            }
        }
        let config = Self::read(&Fields(&fields))?;
        config.validate()?;
        Ok(config)
    }

    /// The contradictions that the reference refuses.
    fn validate(&self) -> Result<()> {
        let wrong = |field: &str, message: String| Err(Error::request(field, message));
        if self.max_new_tokens == Some(0) {
            return wrong("max_new_tokens", "must be greater than 0".into());
        }
        if self.num_beams == 0 {
            return wrong("num_beams", "must be greater than 0".into());
        }
        let sequences = self.num_return_sequences;
        if sequences == 0 {
            return wrong("num_return_sequences", "must be greater than 0".into());
        }
        if sequences > 1 && self.num_beams == 1 && !self.do_sample {
            return wrong(
                "num_return_sequences",
                format!("{sequences} sequences need num_beams or do_sample: greedy search finds only one"),
            );
        }
        if self.num_beams > 1 && sequences > self.num_beams {
            return wrong("num_return_sequences", format!("must be at most num_beams ({}), not {sequences}", self.num_beams));
        }
        if sequences > 1 && self.is_assisted() {
            return wrong("num_return_sequences", format!("must be 1 with prompt_lookup_num_tokens, not {sequences}"));
        }
        if let Some(weight) = self.assistant_ensemble_weight {
            if !(weight > 0.0 && weight < 1.0) {
                return wrong(
                    "assistant_ensemble_weight",
                    format!("must be between 0 and 1, not {weight}; null keeps answers as they are"),
                );
            }
            if self.prompt_lookup_num_tokens.is_some() {
                return wrong("assistant_ensemble_weight", "needs an assistant model, and prompt_lookup_num_tokens has none".into());
            }
        }
        if self.max_time.is_some_and(|seconds| !seconds.is_finite()) {
            return wrong("max_time", "must be a number of seconds".into());
        }
        let suppressed = self.suppress_tokens.as_deref().unwrap_or_default();
        let forced = [
            ("forced_bos_token_id", self.forced_bos_token_id.map(|id| vec![id])),
            ("forced_eos_token_id", self.forced_eos_token_id.clone()),
        ];
        for (name, ids) in forced {
            let Some(ids) = ids.filter(|ids| !ids.is_empty()) else { continue };
            if ids.iter().all(|id| suppressed.contains(&i64::from(*id))) {
                return wrong(
                    name,
                    format!(
                        "every token of it ({ids:?}) is also in suppress_tokens; for answers that must not end early use min_new_tokens"
                    ),
                );
            }
        }
        Ok(())
    }

    /// Whether answers are led away from what the model says without the prompt.
    pub fn is_guided(&self) -> bool {
        self.guidance_scale.is_some_and(|scale| scale != 1.0)
    }

    /// Whether drafts of several tokens are checked at once.
    pub fn is_assisted(&self) -> bool {
        self.prompt_lookup_num_tokens.is_some() && self.num_beams == 1
    }

    /// How many rows run for each input: its beams or its samples.
    pub fn rows_per_input(&self) -> usize {
        self.num_beams.max(self.num_return_sequences)
    }

    /// What fills up rows that have ended: the padding token, or the first end token.
    pub fn fill_token_id(&self) -> Option<i64> {
        self.pad_token_id.or_else(|| self.eos_token_id.as_ref().and_then(|ids| ids.first().copied()))
    }

    /// The lengths for a (padded) prompt, as `_prepare_generated_length` has them: `max_new_tokens` wins over `max_length`, and
    /// where nobody set either, there are 20 new tokens, within the model's positions.
    pub fn lengths(&self, prompt: usize, max_position_embeddings: Option<usize>) -> Result<Lengths> {
        let max_length = match (self.max_new_tokens, self.max_length) {
            (Some(new), _) => prompt.saturating_add(new) as i64,
            (None, Some(max_length)) => max_length,
            (None, None) => (prompt.saturating_add(20)).min(max_position_embeddings.unwrap_or(usize::MAX)) as i64,
        };
        if prompt as i64 >= max_length {
            let message = format!("the prompt has {prompt} tokens, which leaves none of {max_length}; shorten it, or set max_new_tokens");
            return Err(Error::request("max_length", message));
        }
        let min_length = self.min_new_tokens.map_or(self.min_length, |new| prompt.saturating_add(new) as i64);
        Ok(Lengths { max_length: max_length as usize, min_length })
    }
}
