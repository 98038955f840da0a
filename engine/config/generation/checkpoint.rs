//! What a checkpoint says about generation, and which parameters there are.

use serde_json::{Map, Value};

use super::others::is_off;
use crate::{Error, Result};

/// What a checkpoint says about generation, as it says it: the fields of `generation_config.json`, or where that is missing those of
/// `config.json` and of its decoder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationDefaults {
    pub(super) fields: Map<String, Value>,
}

impl GenerationDefaults {
    /// From `generation_config.json` where there is one, else from `config.json`.
    pub fn new(generation_config: Option<&Value>, config: &Value) -> Result<Self> {
        let (file, value) = match generation_config {
            Some(value) => ("generation_config.json", value),
            None => ("config.json", config),
        };
        let object = value.as_object().ok_or_else(|| Error::config(format!("{file}: not an object")))?;
        let mut fields = fields_of(object);
        if generation_config.is_none() {
            let decoder = ["decoder", "generator", "text_config"]
                .iter()
                .find_map(|name| config.get(name).filter(|c| c.as_object().is_some_and(|c| !c.is_empty())));
            for (name, value) in decoder.and_then(Value::as_object).map(fields_of).unwrap_or_default() {
                fields.entry(name).or_insert(value);
            }
            if object.get("force_bos_token_to_be_generated") == Some(&Value::Bool(true)) {
                fields.insert("forced_bos_token_id".into(), fields.get("bos_token_id").cloned().unwrap_or_default());
            }
        }
        for (name, value) in &fields {
            if is_off(name, value) == Some(false) {
                return Err(Error::unsupported(format!("{file}: {name} {value}: this way to generate is not supported")));
            }
        }
        Ok(Self { fields })
    }

    /// A field as the checkpoint gives it; also those that only some tasks read (`lang_to_id`, `task_to_id`).
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }
}

fn fields_of(object: &Map<String, Value>) -> Map<String, Value> {
    object.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The parameters of a call.
pub(super) const KNOWN: &[&str] = &[
    "assistant_confidence_threshold",
    "assistant_ensemble_weight",
    "assistant_lookbehind",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "decoder_start_token_id",
    "do_sample",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "encoder_repetition_penalty",
    "eos_token_id",
    "epsilon_cutoff",
    "eta_cutoff",
    "exponential_decay_length_penalty",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "guidance_scale",
    "length_penalty",
    "logprobs",
    "max_length",
    "max_matching_ngram_size",
    "max_new_tokens",
    "max_time",
    "min_length",
    "min_new_tokens",
    "min_p",
    "negative_prompt_ids",
    "no_repeat_ngram_size",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "num_beams",
    "num_return_sequences",
    "output_logits",
    "output_scores",
    "pad_token_id",
    "prompt_lookup_num_tokens",
    "remove_invalid_values",
    "renormalize_logits",
    "repetition_penalty",
    "return_dict_in_generate",
    "seed",
    "sequence_bias",
    "stop_strings",
    "suppress_tokens",
    "target_lookbehind",
    "temperature",
    "top_h",
    "top_k",
    "top_p",
    "typical_p",
    "watermarking_config",
];
