//! Qwen3.5 (<https://qwen.ai/blog?id=qwen3.5>), the text part: Qwen3-Next with feed-forward layers, and with other shapes of its projections.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    qwen3_next::{defaults, hybrid},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen3_5_text", &[Head::CausalLm, Head::SequenceClassification], build);

pub(crate) fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = defaults();
    defaults["num_key_value_heads"] = json!(4);
    defaults["num_hidden_layers"] = json!(32);
    hybrid(request, &defaults, None)
}
