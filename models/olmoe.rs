//! OLMoE (<https://arxiv.org/abs/2409.02060>): Llama with mixtures of experts, and norms on whole queries and keys.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Norm,
        decoder::{Config, LayerKind, QkNorm, Variant, decoder},
        mixture,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("olmoe", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    norm_topk_prob: bool,
    clip_qkv: Option<f32>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "num_experts_per_tok": 8, "norm_topk_prob": false});
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let mixture =
        |w: &Weights, x: &Tensor, _: usize| mixture::usual(&w.pp("mlp"), cfg.hidden_act, own.num_experts_per_tok, own.norm_topk_prob, x);
    let layers = cfg.layers(|_| LayerKind { window: cfg.sliding_window, ..LayerKind::MIXTURE });
    let qk_norm = Some(QkNorm::of_all(Norm::Rms(cfg.rms_norm_eps)));
    decoder(request, &cfg, &Variant { layers, mixture: &mixture, qk_norm, clip: own.clip_qkv, ..Variant::new(&cfg)? })
}
