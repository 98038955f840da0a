//! OLMoE (<https://arxiv.org/abs/2409.02060>): Llama with mixtures of experts, and norms on whole queries and keys.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::{
        blocks::Norm,
        mixture::{EXPERTS, by_softmax, gated, scores},
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
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = w.pp("mlp");
        let routed = by_softmax(&scores(&w.pp("gate"), x), own.num_experts_per_tok, own.norm_topk_prob);
        Some(gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x))
    };
    let projected = |w: &Weights, part: &str, x: &Tensor| {
        let x = match part {
            "v" => x.clone(),
            _ => Norm::Rms(cfg.rms_norm_eps).of(&w.pp(format!("{part}_norm")), x),
        };
        own.clip_qkv.map_or_else(|| x.clone(), |limit| x.clip(-limit, limit))
    };
    let window = |_| cfg.sliding_window;
    decoder(request, &cfg, &Variant { mixture: &mixture, projected: &projected, window: &window, ..Variant::new(&cfg)? })
}
