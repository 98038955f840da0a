//! Qwen3-MoE (<https://arxiv.org/abs/2505.09388>): Qwen3 with mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Norm,
        decoder::{Config, LayerKind, QkNorm, Variant, decoder},
        mixture,
    },
    qwen2_moe::Sparse,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen3_moe", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 4, "max_position_embeddings": 32_768, "sliding_window": 4096, "num_experts_per_tok": 8,
        "norm_topk_prob": false, "decoder_sparse_step": 1,
    });
    let (cfg, sparse): (_, Sparse) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        mixture::usual(&w.pp("mlp"), cfg.hidden_act, sparse.num_experts_per_tok, sparse.norm_topk_prob, x)
    };
    let window = cfg.sliding_window.filter(|_| cfg.use_sliding_window);
    let variant = Variant {
        layers: cfg.layers(|layer| LayerKind { window, mixture: sparse.has(layer), ..LayerKind::USUAL }),
        mixture: &mixture,
        qk_norm: Some(QkNorm::of_heads(Norm::Rms(cfg.rms_norm_eps))),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
