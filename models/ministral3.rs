//! Ministral 3: Mistral whose queries grow with the logarithm of their position, as those of Llama 4.

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Mlp,
        decoder::{Config, LayerKind, Layers, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("ministral3", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
struct Own {
    rope_parameters: Growth,
    rope_scaling: Option<Growth>,
}

#[derive(Deserialize)]
struct Growth {
    llama_4_scaling_beta: f32,
    original_max_position_embeddings: f32,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 262_144, "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "type": "yarn", "rope_theta": 1_000_000.0, "factor": 16.0, "original_max_position_embeddings": 16_384,
            "beta_fast": 32.0, "beta_slow": 1.0, "mscale_all_dim": 1.0, "mscale": 1.0, "llama_4_scaling_beta": 0.1,
        },
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let growth = own.rope_scaling.unwrap_or(own.rope_parameters);
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| {
        let w = w.pp("self_attn");
        let [query, key, value] = layers.turned(&w, layers.projections(&w, x), layer);
        let query = &query * growth.at(&layers.decoding.positions).cast(query.dtype());
        layers.output(&w, &layers.find(&layers.how(layer), [query, key, value], layer))
    };
    let variant = Variant {
        layers: cfg.layers(|_| LayerKind { window: cfg.sliding_window, ..LayerKind::OWN }),
        mixer: &mixer,
        mlp: Mlp::Gated { bias: false },
        qkv_bias: false,
        output_bias: false,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

impl Growth {
    /// `1 + beta · ln(1 + ⌊position / original⌋)`, `(batch, sequence, 1)`.
    fn at(&self, positions: &Tensor) -> Tensor {
        let times = (positions.cast(Dtype::F32) / self.original_max_position_embeddings).floor();
        ((times + 1.0).log() * self.llama_4_scaling_beta + 1.0).unsqueeze(&[2])
    }
}
