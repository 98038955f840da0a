//! The fields of a generation configuration as values of their types.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::watermarking::watermarking;
use super::{EarlyStopping, GenerationConfig};
use crate::config::from_value;
use crate::error::in_words;
use crate::{Error, Result};

impl GenerationConfig {
    /// Every field, with the library's default where it is missing.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        let early_stopping = match fields.0.get("early_stopping") {
            // The reference asks whether it is `True`, which 1 is not.
            None | Some(Value::Null | Value::Bool(false) | Value::Number(_)) => EarlyStopping::Heuristic,
            Some(Value::Bool(true)) => EarlyStopping::Always,
            Some(Value::String(never)) if never == "never" => EarlyStopping::Never,
            Some(other) => return Err(Error::request("early_stopping", format!("must be a boolean or \"never\", not {other}"))),
        };
        Ok(Self {
            max_length: fields.get("max_length")?,
            max_new_tokens: fields.get("max_new_tokens")?,
            min_length: fields.get("min_length")?.unwrap_or(0),
            min_new_tokens: fields.get("min_new_tokens")?,
            early_stopping,
            max_time: fields.get("max_time")?,
            stop_strings: fields.one_or_many("stop_strings")?.unwrap_or_default(),
            do_sample: fields.get("do_sample")?.unwrap_or(false),
            num_beams: fields.get("num_beams")?.unwrap_or(1),
            num_return_sequences: fields.get("num_return_sequences")?.unwrap_or(1),
            temperature: fields.get("temperature")?.unwrap_or(1.0),
            top_k: if fields.0.contains_key("top_k") { fields.get("top_k")? } else { Some(50) },
            top_p: fields.get("top_p")?,
            min_p: fields.get("min_p")?,
            top_h: fields.get("top_h")?,
            typical_p: fields.get("typical_p")?,
            epsilon_cutoff: fields.get("epsilon_cutoff")?,
            eta_cutoff: fields.get("eta_cutoff")?,
            repetition_penalty: fields.get("repetition_penalty")?.unwrap_or(1.0),
            encoder_repetition_penalty: fields.get("encoder_repetition_penalty")?.unwrap_or(1.0),
            length_penalty: fields.get("length_penalty")?.unwrap_or(1.0),
            no_repeat_ngram_size: fields.get("no_repeat_ngram_size")?.unwrap_or(0),
            encoder_no_repeat_ngram_size: fields.get("encoder_no_repeat_ngram_size")?.unwrap_or(0),
            bad_words_ids: fields.get("bad_words_ids")?,
            sequence_bias: fields.get("sequence_bias")?,
            renormalize_logits: fields.get("renormalize_logits")?.unwrap_or(false),
            remove_invalid_values: fields.get("remove_invalid_values")?.unwrap_or(false),
            forced_bos_token_id: fields.get("forced_bos_token_id")?,
            forced_eos_token_id: fields.one_or_many("forced_eos_token_id")?,
            exponential_decay_length_penalty: fields.get("exponential_decay_length_penalty")?,
            suppress_tokens: fields.get("suppress_tokens")?,
            begin_suppress_tokens: fields.get("begin_suppress_tokens")?,
            guidance_scale: fields.get("guidance_scale")?,
            negative_prompt_ids: fields.single_row("negative_prompt_ids")?,
            watermarking: fields.0.get("watermarking_config").filter(|v| !v.is_null()).map(watermarking).transpose()?,
            pad_token_id: fields.get("pad_token_id")?,
            bos_token_id: fields.get("bos_token_id")?,
            eos_token_id: fields.one_or_many("eos_token_id")?,
            decoder_start_token_id: fields.get("decoder_start_token_id")?,
            prompt_lookup_num_tokens: fields.get("prompt_lookup_num_tokens")?,
            max_matching_ngram_size: fields.get("max_matching_ngram_size")?,
            num_assistant_tokens: fields.get("num_assistant_tokens")?.unwrap_or(20),
            num_assistant_tokens_schedule: fields.get("num_assistant_tokens_schedule")?.unwrap_or_else(|| "constant".into()),
            assistant_confidence_threshold: fields.get("assistant_confidence_threshold")?.unwrap_or(0.4),
            assistant_ensemble_weight: fields.get("assistant_ensemble_weight")?,
            assistant_lookbehind: fields.get("assistant_lookbehind")?.unwrap_or(10),
            target_lookbehind: fields.get("target_lookbehind")?.unwrap_or(10),
            output_scores: fields.get("output_scores")?.unwrap_or(false),
            output_logits: fields.get("output_logits")?.unwrap_or(false),
            return_dict_in_generate: fields.get("return_dict_in_generate")?.unwrap_or(false),
            logprobs: fields.get("logprobs")?.unwrap_or(false),
            seed: fields.get("seed")?,
        })
    }
}

/// The fields of a configuration; errors name them.
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl Fields<'_> {
    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let value = self.0.get(name).cloned().unwrap_or_default();
        from_value(value).map_err(|e| Error::request(name, in_words(&e)))
    }

    /// A row of tokens; as the reference has it also as the only one of a batch.
    fn single_row(&self, name: &str) -> Result<Option<Vec<u32>>> {
        match self.0.get(name) {
            Some(Value::Array(rows)) if rows.iter().any(Value::is_array) => match rows.as_slice() {
                [_] => Ok(self.get::<[Vec<u32>; 1]>(name)?.map(|[row]| row)),
                rows => Err(Error::request(name, format!("must be one list of token ids, not {}", rows.len()))),
            },
            _ => self.get(name),
        }
    }

    fn one_or_many<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Vec<T>>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(_)) => self.get(name),
            Some(_) => Ok(self.get(name)?.map(|one| vec![one])),
        }
    }
}
