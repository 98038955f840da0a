//! Sizes that `config.json` and the weights must agree on, whatever the architecture.
//!
//! Graphs take sizes from the weights where they can, so a config that says something else would go unnoticed.

use formers_converters::{Error, Result, weights::Tensors};
use serde_json::Value;

/// A dimension of tensors, by the end of their keys, and the fields that may hold its size; the first that is there counts.
struct Rule {
    keys: &'static [&'static str],
    axis: usize,
    fields: &'static [&'static str],
}

const WORDS: &[&str] = &["word_embeddings.weight", "word_embedding.weight", "embed_tokens.weight", "tok_embeddings.weight"];

const ROUTERS: &[&str] = &["mlp.gate.weight", "block_sparse_moe.gate.weight", "router.weight", "router.layer.weight"];

const RULES: &[Rule] = &[
    Rule { keys: WORDS, axis: 0, fields: &["vocab_size"] },
    Rule { keys: WORDS, axis: 1, fields: &["embedding_size", "word_embed_proj_dim", "n_embd", "d_model", "dim", "hidden_size"] },
    Rule { keys: &["position_embeddings.weight"], axis: 0, fields: &["max_position_embeddings"] },
    Rule { keys: &["token_type_embeddings.weight"], axis: 0, fields: &["type_vocab_size"] },
    Rule { keys: &["intermediate.dense.weight"], axis: 0, fields: &["intermediate_size"] },
    Rule { keys: ROUTERS, axis: 0, fields: &["num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"] },
];

/// An error for the first tensor of a scope whose size is not that of the config. What the config leaves out is not checked. Tables of words
/// may have further rows behind those of words.
pub(crate) fn check(config: &Value, tensors: &Tensors, scope: &str, rows_behind_words: usize) -> Result<()> {
    let within = |key: &str| scope.is_empty() || key.strip_prefix(scope).is_some_and(|rest| rest.starts_with('.'));
    for rule in RULES {
        let Some((field, value)) = rule.fields.iter().find_map(|field| Some((field, config.get(field).filter(|v| !v.is_null())?))) else {
            continue;
        };
        let size = value.as_u64().ok_or_else(|| Error::config(format!("config.json: {field}: {value} is no size")))?;
        let size = if *field == "vocab_size" { size.saturating_add(rows_behind_words as u64) } else { size };
        // A decoder may write with words of its own.
        let own = |key: &str| {
            *field == "vocab_size" && ends_with(key, "decoder.embed_tokens.weight") && config.get("decoder_vocab_size").is_some()
        };
        let ruled = |name: &&str| within(name) && rule.keys.iter().any(|end| ends_with(name, end)) && !own(name);
        for key in tensors.names().filter(ruled) {
            let Some(shape) = tensors.get(key).map(|tensor| &tensor.shape).filter(|shape| shape.len() == 2) else { continue };
            if shape[rule.axis] as u64 != size {
                return Err(Error::config(format!("config.json: {field} is {size}, but tensor {key} has shape {shape:?}")));
            }
        }
    }
    Ok(())
}

/// Whether a key ends with these parts, and not in the middle of one.
fn ends_with(key: &str, end: &str) -> bool {
    key.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
