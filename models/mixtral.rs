//! Mixtral (<https://arxiv.org/abs/2401.04088>): Mistral with mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::GatedExperts,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        decoder::{Config, LayerKind, Variant, decoder},
        mixture::{by_softmax, gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mixtral", Head::DECODER, build);

/// Gate, up and down as older code names them.
pub(crate) const EXPERTS: GatedExperts = GatedExperts { each: ["w1", "w3", "w2"], stacked: ["gate_up_proj", "down_proj"] };

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 8, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "rope_theta": 1_000_000.0,
        "num_experts_per_tok": 2,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = scope(w);
        let routed = by_softmax(&scores(&w.pp("gate"), x), own.num_experts_per_tok, true);
        gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x)
    };
    let layers = cfg.layers(|_| LayerKind { window: cfg.sliding_window, ..LayerKind::MIXTURE });
    decoder(request, &cfg, &Variant { layers, mixture: &mixture, ..Variant::new(&cfg)? })
}

/// The scope of the mixture of a layer, under its older or newer name.
pub(crate) fn scope(w: &Weights) -> Weights {
    let older = w.pp("block_sparse_moe");
    if older.exists() { older } else { w.pp("mlp") }
}
