//! FlexOlmo (<https://arxiv.org/abs/2507.07024>): OLMo 2 with mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request, olmo2,
    parts::{
        decoder::{Config, LayerKind, Variant, decoder},
        mixture,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("flex_olmo", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    norm_topk_prob: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "max_position_embeddings": 4096, "rope_theta": 500_000.0, "num_experts_per_tok": 5, "norm_topk_prob": false,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let mixture =
        |w: &Weights, x: &Tensor, _: usize| mixture::usual(&w.pp("mlp"), cfg.hidden_act, own.num_experts_per_tok, own.norm_topk_prob, x);
    let layers = cfg.layers(|_| LayerKind::MIXTURE);
    decoder(request, &cfg, &Variant { layers, mixture: &mixture, ..olmo2::variant(&cfg)? })
}
