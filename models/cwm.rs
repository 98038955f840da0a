//! Code World Model (<https://arxiv.org/abs/2510.02387>): Llama of which most layers see a window.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("cwm", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = json!({
        "num_attention_heads": 48, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5,
        "sliding_window": 8192, "rope_theta": 1_000_000.0,
    });
    let rope = json!({
        "rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
    });
    Config::rope_or(request, &mut defaults, rope);
    let cfg = Config::of(request, &defaults)?;
    let layers = cfg.windowed(|layer| layer % 4 != 0);
    decoder(request, &cfg, &Variant { layers, qkv_bias: false, output_bias: false, ..Variant::new(&cfg)? })
}
