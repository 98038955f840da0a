//! `watermarking_config`

use serde_json::Value;

use super::fields::Fields;
use crate::{Error, Result};

/// A mark in the text that its makers can find again.
#[derive(Debug, Clone, PartialEq)]
pub enum Watermarking {
    /// Kirchenbauer's green list (`WatermarkingConfig`).
    GreenList {
        /// The part of the vocabulary that is green.
        greenlist_ratio: f64,
        /// What green tokens get on top.
        bias: f64,
        /// The secret.
        hashing_key: i64,
        /// Whether the next token takes part in the hash (`selfhash`) or not (`lefthash`).
        selfhash: bool,
        /// How many tokens are hashed.
        context_width: usize,
    },
    /// SynthID-Text (`SynthIDTextWatermarkingConfig`).
    SynthId {
        /// Tokens per hash, the next one included.
        ngram_len: usize,
        /// The secret, one number per layer of the tournament.
        keys: Vec<i64>,
        /// How many contexts are remembered, so that repeated ones stay unmarked.
        context_history_size: usize,
        /// The seed of the table of coin flips.
        sampling_table_seed: u64,
        /// The length of that table.
        sampling_table_size: usize,
        /// Leaves the first `ngram_len - 1` tokens unmarked.
        skip_first_ngram_calls: bool,
    },
}

/// Either kind, told apart by SynthID's `ngram_len`.
pub(super) fn watermarking(value: &Value) -> Result<Watermarking> {
    const PLACE: &str = "watermarking_config";
    let object = value.as_object().ok_or_else(|| Error::request(PLACE, "not an object"))?;
    let fields = Fields(object);
    let known: &[&str] = if object.contains_key("ngram_len") {
        &["ngram_len", "keys", "context_history_size", "sampling_table_seed", "sampling_table_size", "skip_first_ngram_calls"]
    } else {
        &["greenlist_ratio", "bias", "hashing_key", "seeding_scheme", "context_width"]
    };
    if let Some(name) = object.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Error::request(&format!("{PLACE}.{name}"), format!("no such field; there are {}", known.join(", "))));
    }
    let at = |e: Error| e.at(PLACE);
    if !object.contains_key("ngram_len") {
        let seeding_scheme: String = fields.get("seeding_scheme").map_err(at)?.unwrap_or_else(|| "lefthash".into());
        if !["selfhash", "lefthash"].contains(&seeding_scheme.as_str()) {
            return Err(Error::request(
                "watermarking_config.seeding_scheme",
                format!("must be selfhash or lefthash, not {seeding_scheme}"),
            ));
        }
        let context_width = fields.get("context_width").map_err(at)?.unwrap_or(1);
        if context_width == 0 {
            return Err(Error::request("watermarking_config.context_width", "must be above 0"));
        }
        return Ok(Watermarking::GreenList {
            greenlist_ratio: fields.get("greenlist_ratio").map_err(at)?.unwrap_or(0.25),
            bias: fields.get("bias").map_err(at)?.unwrap_or(2.0),
            hashing_key: fields.get("hashing_key").map_err(at)?.unwrap_or(15_485_863),
            selfhash: seeding_scheme == "selfhash",
            context_width,
        });
    }
    let missing = |name: &str| Error::request(&format!("{PLACE}.{name}"), "missing");
    Ok(Watermarking::SynthId {
        ngram_len: fields.get("ngram_len").map_err(at)?.ok_or_else(|| missing("ngram_len"))?,
        keys: fields.get("keys").map_err(at)?.ok_or_else(|| missing("keys"))?,
        context_history_size: fields.get("context_history_size").map_err(at)?.unwrap_or(1024),
        sampling_table_seed: fields.get("sampling_table_seed").map_err(at)?.unwrap_or(0),
        sampling_table_size: fields.get("sampling_table_size").map_err(at)?.unwrap_or(1 << 16),
        skip_first_ngram_calls: fields.get("skip_first_ngram_calls").map_err(at)?.unwrap_or(false),
    })
}
