//! StarCoder2 (<https://arxiv.org/abs/2402.19173>): Llama with layer norms, biases, and a feed-forward part without a gate; layers may
//! have a window.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, LayerKind, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("starcoder2", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
struct Own {
    norm_epsilon: f32,
    use_bias: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 2, "hidden_act": "gelu_pytorch_tanh", "max_position_embeddings": 4096, "tie_word_embeddings": true,
        "norm_epsilon": 1e-5, "use_bias": true,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let variant = Variant {
        layers: cfg.layers(|_| LayerKind { window: cfg.sliding_window, ..LayerKind::USUAL }),
        norm: Norm::Layer { epsilon: own.norm_epsilon, bias: true },
        mlp: Mlp::Plain { names: ["c_fc", "c_proj"], bias: own.use_bias },
        qkv_bias: own.use_bias,
        output_bias: own.use_bias,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
