//! Mellum 2 (<https://huggingface.co/JetBrains/Mellum2-12B-A2.5B-Base>): Qwen3 with mixtures of experts, some of whose layers have a window and
//! other angles.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, QkNorm, Variant, decoder},
        mixture,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mellum", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    norm_topk_prob: bool,
    mlp_layer_types: Option<Vec<String>>,
}

impl Own {
    fn is_dense(&self, layer: usize) -> bool {
        self.mlp_layer_types.as_ref().and_then(|types| types.get(layer)).is_some_and(|kind| kind == "dense")
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 4, "head_dim": 128, "max_position_embeddings": 131_072, "sliding_window": 1024, "num_experts_per_tok": 8,
        "norm_topk_prob": true, "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 500_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
    });
    let (mut cfg, own): (Config, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    cfg.rope = cfg.rope.whole();
    let mixture =
        |w: &Weights, x: &Tensor, _: usize| mixture::usual(&w.pp("mlp"), cfg.hidden_act, own.num_experts_per_tok, own.norm_topk_prob, x);
    let mut layers = cfg.near_and_far(|_| false);
    layers.iter_mut().enumerate().for_each(|(layer, kind)| kind.mixture = !own.is_dense(layer));
    let angles = |kind: &str| cfg.frequencies(&cfg.rope.of_layer_type(kind));
    let variant = Variant {
        layers,
        mlp: Mlp::Gated { bias: false },
        mixture: &mixture,
        qk_norm: Some(QkNorm::of_heads(Norm::Rms(cfg.rms_norm_eps))),
        frequencies: vec![angles("full_attention")?, angles("sliding_attention")?],
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
