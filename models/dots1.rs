//! dots.llm1 (<https://arxiv.org/abs/2506.05767>): Qwen3 with the mixtures of DeepSeek-V3; some layers may have a window.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    deepseek_v3::Chosen,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, LayerKind, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("dots1", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    max_window_layers: usize,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 32, "sliding_window": 4096, "max_window_layers": 62, "n_group": 1, "topk_group": 1, "norm_topk_prob": false,
        "routed_scaling_factor": 1.0, "first_k_dense_replace": 0,
    });
    let cfg = Config::of(request, &defaults)?;
    let (own, chosen): (Own, Chosen) = (request.config_over(&defaults)?, request.config_over(&defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| chosen.mixture(&cfg, w, x);
    let kind = |layer: usize| {
        let window = cfg.window(layer, |layer| layer >= own.max_window_layers);
        LayerKind { window, mixture: !chosen.is_dense(layer), ..LayerKind::USUAL }
    };
    let variant = Variant {
        layers: cfg.layers(kind),
        mlp: Mlp::Gated { bias: false },
        mixture: &mixture,
        qk_norm: Some(QkNorm::of_heads(Norm::Rms(cfg.rms_norm_eps))),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
