//! Llama 3.2 that sees pictures as well (<https://arxiv.org/abs/2407.21783>): what it writes about text alone, for which the layers that look
//! at pictures stay out.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "mllama", base: "model", heads: &[Head::CausalLm], build };

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
    request.of_text(|request| {
        let defaults = json!({
            "num_hidden_layers": 40, "num_key_value_heads": 8, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5,
            "rope_theta": 500_000.0,
        });
        let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config()?);
        let stays_out = |layer| own.cross_attention_layers.contains(&layer);
        decoder(request, &cfg, &Variant { stays_out: &stays_out, ..Variant::new(&cfg)? })
    })
}
