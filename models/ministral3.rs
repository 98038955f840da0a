//! Ministral 3: Mistral whose queries grow with the logarithm of their position, as those of Llama 4.

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::blocks::Mlp,
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
    let turned = |_: &Weights, part: &str, x: &Tensor, positions: &Tensor| match part {
        "q" => x * growth.at(positions).cast(x.dtype()),
        _ => x.clone(),
    };
    let variant = Variant {
        mlp: Mlp::Gated { bias: false },
        qkv_bias: false,
        output_bias: false,
        window: &|_| cfg.sliding_window,
        turned: &turned,
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
