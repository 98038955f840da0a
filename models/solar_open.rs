//! Solar Open (<https://huggingface.co/upstage/Solar-Open-100B>): GLM-4.5 without dense layers.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{Architecture, Head, Request, glm4_moe::mixed};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("solar_open", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5,
        "rope_theta": 1_000_000.0, "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1, "norm_topk_prob": true,
        "routed_scaling_factor": 1.0, "first_k_dense_replace": 0, "use_qk_norm": false,
    });
    mixed(request, &defaults)
}
