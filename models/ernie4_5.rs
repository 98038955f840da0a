//! ERNIE 4.5: Llama in which neighbouring components turn together, and one field says whether there are biases.

use formers_converters::{Result, graph::Body, layers::rotary::Pairs};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Mlp,
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("ernie4_5", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    use_bias: Option<bool>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
        "rope_theta": 500_000.0,
    });
    let cfg = Config::of(request, &defaults)?;
    decoder(request, &cfg, &variant(&cfg, has_bias(request)?)?)
}

/// Whether linear layers have biases, which one field says for all.
pub(crate) fn has_bias(request: &Request) -> Result<bool> {
    let own: Own = request.config()?;
    Ok(own.use_bias == Some(true))
}

/// What relatives of ERNIE 4.5 have in common.
pub(crate) fn variant<'a>(cfg: &Config, bias: bool) -> Result<Variant<'a>> {
    Ok(Variant { mlp: Mlp::Gated { bias }, qkv_bias: bias, output_bias: bias, pairs: Pairs::Neighbours, ..Variant::new(cfg)? })
}
