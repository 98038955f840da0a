//! FlexOlmo (<https://arxiv.org/abs/2507.07024>): OLMo 2 with mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    olmo2,
    parts::mixture::{EXPERTS, by_softmax, gated, scores},
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
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = w.pp("mlp");
        let routed = by_softmax(&scores(&w.pp("gate"), x), own.num_experts_per_tok, own.norm_topk_prob);
        Some(gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x))
    };
    let projected = olmo2::normed(&cfg);
    decoder(request, &cfg, &Variant { mixture: &mixture, projected: &projected, ..olmo2::variant(&cfg)? })
}
