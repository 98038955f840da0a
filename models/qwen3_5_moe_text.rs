//! Qwen3.5 (<https://qwen.ai/blog?id=qwen3.5>), the text part of those with mixtures of experts.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    qwen3_next::{defaults, mixed},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen3_5_moe_text", &[Head::CausalLm], build);

pub(crate) fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = defaults();
    for (key, value) in
        [("num_hidden_layers", json!(40)), ("num_experts", json!(256)), ("num_experts_per_tok", json!(8)), ("norm_topk_prob", json!(true))]
    {
        defaults[key] = value;
    }
    mixed(request, &defaults)
}
