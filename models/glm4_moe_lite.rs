//! GLM-4.7 Flash (<https://z.ai/blog/glm-4.7>): the experts of GLM-4.5, and the latent attention of DeepSeek-V3.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{Architecture, Head, Request, deepseek_v3::latent};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("glm4_moe_lite", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 20, "q_lora_rank": 768, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64,
        "v_head_dim": 256, "max_position_embeddings": 202_752, "rms_norm_eps": 1e-5, "num_experts_per_tok": 4, "n_group": 1,
        "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 1.8, "first_k_dense_replace": 1, "rope_interleave": true,
        "num_nextn_predict_layers": 1,
    });
    latent(request, &defaults)
}
