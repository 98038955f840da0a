//! K-EXAONE (<https://arxiv.org/abs/2601.01739>): EXAONE 4 with norms before each part, and the experts of DeepSeek-V3.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{Architecture, Head, Request, deepseek_v3::Chosen, exaone4, parts::blocks::Order};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("exaone_moe", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 32, "rms_norm_eps": 1e-5, "sliding_window": 4096, "sliding_window_pattern": 4, "num_experts_per_tok": 8,
        "n_group": 1, "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 2.5, "first_k_dense_replace": 1,
    });
    let chosen: Chosen = request.config_over(&defaults)?;
    exaone4::layered(request, &defaults, Order::BEFORE, Some(&chosen))
}
