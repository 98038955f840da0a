//! The text model of Llama 3.2 that sees pictures (<https://arxiv.org/abs/2407.21783>): the layers that look at pictures stay out.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Request,
    parts::decoder::{Config, LayerKind, Mixing, Variant, decoder},
};

// Its table of words has rows for pictures as well.
pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mllama_text_model", &[], build).rows_behind_words(8);

#[derive(Deserialize)]
#[serde(default)]
struct Own {
    cross_attention_layers: Vec<usize>,
}

impl Default for Own {
    fn default() -> Self {
        Self { cross_attention_layers: vec![3, 8, 13, 18, 23, 28, 33, 38] }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_hidden_layers": 40, "num_key_value_heads": 8, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config()?);
    // Those look at pictures alone.
    let kind = |layer: usize| {
        let mixing = if own.cross_attention_layers.contains(&layer) { Mixing::Nothing } else { Mixing::Attention };
        LayerKind { mixing, ..LayerKind::USUAL }
    };
    decoder(request, &cfg, &Variant { layers: cfg.layers(kind), ..Variant::new(&cfg)? })
}
