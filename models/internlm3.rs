//! InternLM3 (<https://github.com/InternLM/InternLM>): Llama with other names in its config.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("internlm3", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = json!({"num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 32_768, "rms_norm_eps": 1e-5});
    for (other, own) in [("qkv_bias", "attention_bias"), ("bias", "mlp_bias")] {
        if let Some(value) = request.config.get(other).filter(|value| !value.is_null()) {
            defaults[own] = value.clone();
        }
    }
    let cfg = Config::of(request, &defaults)?;
    decoder(request, &cfg, &Variant::new(&cfg)?)
}
