//! The parameters of the reference that are not honoured here: those that change no answer, and those that would.

use serde_json::Value;

use crate::config::{integer, truth};

/// Of a parameter that changes the tokens and that this version does not have, whether a value turns it off; `None` for other names.
/// The reference itself has most of them only in repositories of code.
pub(super) fn is_off(name: &str, value: &Value) -> Option<bool> {
    let number = |off: &[f64]| value.as_f64().is_some_and(|x| off.contains(&x));
    let off = match name {
        "num_beam_groups" => number(&[0.0, 1.0]),
        "diversity_penalty" | "penalty_alpha" => number(&[0.0]),
        "token_healing" | "use_mtp" | "is_assistant" => truth(value) == Some(false),
        "constraints" | "force_words_ids" | "dola_layers" | "assistant_early_exit" | "speculation_type" => false,
        _ => return None,
    };
    Some(off || value.is_null())
}

/// How the reference keeps what it has seen, which leaves answers as they are; but not `quantized`.
const CACHES: &[&str] = &[
    "dynamic",
    "hybrid",
    "hybrid_chunked",
    "offloaded",
    "offloaded_hybrid",
    "offloaded_hybrid_chunked",
    "offloaded_static",
    "sliding_window",
    "static",
];

/// Of a parameter that is a matter of speed, memory or of what is told beside answers, whether answers are as with this value; `None` for
/// other names. What a checkpoint says about these does not matter.
pub(super) fn is_without_effect(name: &str, value: &Value) -> Option<bool> {
    let without = match name {
        "use_cache" | "disable_compile" | "low_memory" => truth(value).is_some(),
        "cache_implementation" => value.as_str().is_some_and(|name| CACHES.contains(&name)),
        "cache_config" | "compile_config" => value.is_object(),
        "max_cache_len" => integer(value).is_some_and(|length| length >= 0),
        "prefill_chunk_size" => integer(value).is_some_and(|size| size > 0),
        "output_attentions" | "output_hidden_states" => truth(value) == Some(false),
        "continuous_batching_config" => false,
        _ => return None,
    };
    Some(without || value.is_null())
}
