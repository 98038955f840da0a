//! Qwen3-MoE (<https://arxiv.org/abs/2505.09388>): Qwen3 with mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::{
        blocks::Norm,
        mixture::{EXPERTS, by_softmax, gated, scores},
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
    let mixture = |w: &Weights, x: &Tensor, layer: usize| {
        sparse.has(layer).then(|| {
            let w = w.pp("mlp");
            let routed = by_softmax(&scores(&w.pp("gate"), x), sparse.num_experts_per_tok, sparse.norm_topk_prob);
            gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x)
        })
    };
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "v" => x.clone(),
        _ => Norm::Rms(cfg.rms_norm_eps).of_heads(&w.pp(format!("{part}_norm")), cfg.head_dim(), x),
    };
    let variant = Variant {
        mixture: &mixture,
        projected: &projected,
        window: &|_| cfg.sliding_window.filter(|_| cfg.use_sliding_window),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
