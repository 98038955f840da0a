//! MiniCPM3 (<https://arxiv.org/abs/2404.06395>): Llama with the latent attention of DeepSeek-V2, and factors on embeddings, on what each
//! part adds, and on the logits.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        decoder::{Config, LayerKind, Variant, decoder},
        mla::Latent,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("minicpm3", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
struct Own {
    scale_emb: f32,
    scale_depth: Option<f32>,
    dim_model_base: Option<f32>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = json!({
        "num_attention_heads": 40, "max_position_embeddings": 32_768, "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
        "kv_lora_rank": 256, "q_lora_rank": 768, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "scale_emb": 12, "scale_depth": 1.4,
        "dim_model_base": 256,
    });
    let (mut cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    defaults["v_head_dim"] = json!(cfg.hidden_size / cfg.num_attention_heads.max(1));
    let latent: Latent = request.config_over(&defaults)?;
    cfg.head_dim = Some(latent.qk_rope_head_dim);
    let mixer = latent.mixer(&cfg);
    let variant = Variant {
        layers: cfg.layers(|_| LayerKind::OWN),
        mixer: &mixer,
        embedding_scale: own.scale_emb,
        residual_scale: own.scale_depth.map_or(1.0, |depth| depth / (cfg.num_hidden_layers as f32).sqrt()),
        logit_scale: own.dim_model_base.map_or(1.0, |base| base / cfg.hidden_size as f32),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
