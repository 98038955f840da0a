//! GLM-4.5 (<https://arxiv.org/abs/2508.06471>): Llama with the mixtures of DeepSeek-V3; positions turn a part of each head.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    deepseek_v3::Chosen,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, LayerKind, QkNorm, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("glm4_moe", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    use_qk_norm: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 8, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "partial_rotary_factor": 0.5,
        "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 1.0,
        "first_k_dense_replace": 1, "use_qk_norm": false, "num_nextn_predict_layers": 1,
    });
    mixed(request, &defaults)
}

/// The graph of a model of this kind, with what it takes for fields that are not there.
pub(crate) fn mixed(request: &Request, defaults: &Value) -> Result<Vec<Body>> {
    let mut cfg = Config::of(request, defaults)?;
    if defaults.get("partial_rotary_factor").is_none() {
        cfg.rope = cfg.rope.whole();
    }
    let (own, chosen): (Own, Chosen) = (request.config_over(defaults)?, request.config_over(defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| chosen.mixture(&cfg, w, x);
    let variant = Variant {
        layers: cfg.layers(|layer| LayerKind { mixture: !chosen.is_dense(layer), ..LayerKind::USUAL }),
        mlp: Mlp::Gated { bias: false },
        mixture: &mixture,
        qk_norm: own.use_qk_norm.then(|| QkNorm::of_heads(Norm::Rms(cfg.rms_norm_eps))),
        output_bias: false,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
