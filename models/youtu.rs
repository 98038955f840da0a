//! Youtu-LLM (<https://arxiv.org/abs/2512.24618>): the latent attention of DeepSeek-V3, with dense feed-forward layers.

use formers_converters::{Result, graph::Body, layers::rotary::Pairs};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Mlp,
        decoder::{Config, LayerKind, Variant, decoder},
        mla::Latent,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("youtu", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    rope_interleave: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "hidden_size": 2048, "num_attention_heads": 16, "max_position_embeddings": 131_072, "tie_word_embeddings": true,
        "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "rope_interleave": true,
    });
    let (mut cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let latent: Latent = request.config_over(&defaults)?;
    cfg.head_dim = Some(latent.qk_rope_head_dim);
    let mixer = latent.mixer(&cfg);
    let pairs = if own.rope_interleave { Pairs::Neighbours } else { Pairs::Halves };
    let layers = cfg.layers(|_| LayerKind::OWN);
    decoder(request, &cfg, &Variant { layers, mixer: &mixer, mlp: Mlp::Gated { bias: false }, pairs, ..Variant::new(&cfg)? })
}
