//! Gemma (<https://arxiv.org/abs/2403.08295>): Llama with scaled embeddings, and norms that multiply by `1 + weight`.

use formers_converters::{Error, Result, graph::Body, layers::Activation};
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Norm,
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gemma", Head::DECODER_WITH_LABELS, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut cfg = Config::of(request, &defaults())?;
    causal_only(request)?;
    // The first checkpoints say "gelu" and mean its approximation.
    if cfg.hidden_act == Activation::Gelu {
        cfg.hidden_act = Activation::GeluTanh;
    }
    decoder(request, &cfg, &variant(&cfg)?)
}

/// What Gemma and its successors take for fields that are not there.
pub(crate) fn defaults() -> Value {
    json!({
        "head_dim": 256, "num_key_value_heads": 16, "hidden_act": "gelu_pytorch_tanh", "max_position_embeddings": 8192,
        "tie_word_embeddings": true,
    })
}

/// What Gemma and its successors have in common.
pub(crate) fn variant(cfg: &Config) -> Result<Variant<'static>> {
    let embedding_scale = (cfg.hidden_size as f64).sqrt() as f32;
    Ok(Variant { norm: Norm::RmsPlusOne(cfg.rms_norm_eps), embedding_scale, ..Variant::new(cfg)? })
}

/// An error where tokens see later ones, too.
pub(crate) fn causal_only(request: &Request) -> Result<()> {
    match request.config.get("use_bidirectional_attention").and_then(Value::as_bool) {
        Some(true) => Err(Error::unsupported("config.json: use_bidirectional_attention is true, which text generation does not know")),
        _ => Ok(()),
    }
}
