//! MiniMax-M2 (<https://github.com/MiniMax-AI/MiniMax-M2>): Mixtral with norms on queries and keys, of which positions turn a part, and
//! experts that are scored one by one.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::Routed,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request, mixtral,
    parts::{
        blocks::Norm,
        decoder::{Config, LayerKind, QkNorm, Variant, decoder},
        mixture::{gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("minimax_m2", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    rotary_dim: Option<usize>,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_attention_heads": 48, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 196_608,
        "rope_theta": 5_000_000.0, "num_experts_per_tok": 8,
    });
    let (mut cfg, own): (Config, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let part = own.rotary_dim.map_or(1.0, |turning| turning as f64 / cfg.head_dim() as f64);
    cfg.rope = cfg.rope.in_part(part);
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = mixtral::scope(w);
        let scores = scores(&w.pp("gate"), x).sigmoid();
        let choice = &scores + w.get("e_score_correction_bias", &[scores.fixed(-1)]);
        let routed = Routed::chosen_by(&choice, &scores, own.num_experts_per_tok).normalized(0.0);
        gated(&w.pp("experts"), &mixtral::EXPERTS, &routed, cfg.hidden_act, x)
    };
    let layers = cfg.layers(|_| LayerKind::MIXTURE);
    let qk_norm = Some(QkNorm::of_all(Norm::Rms(cfg.rms_norm_eps)));
    decoder(request, &cfg, &Variant { layers, mixture: &mixture, qk_norm, ..Variant::new(&cfg)? })
}
