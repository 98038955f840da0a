//! Qwen2-MoE (<https://arxiv.org/abs/2407.10671>): Qwen2 with mixtures of experts, and one more expert that all tokens pass through.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{gated_mlp, linear_no_bias},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        decoder::{Config, LayerKind, Variant, decoder},
        mixture::{EXPERTS, by_softmax, gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen2_moe", Head::DECODER, build);

/// Which layers are mixtures, and how they choose.
#[derive(Deserialize)]
pub(crate) struct Sparse {
    pub(crate) num_experts_per_tok: usize,
    pub(crate) norm_topk_prob: bool,
    mlp_only_layers: Option<Vec<usize>>,
    decoder_sparse_step: usize,
}

impl Sparse {
    pub(crate) fn has(&self, layer: usize) -> bool {
        let dense = self.mlp_only_layers.as_ref().is_some_and(|layers| layers.contains(&layer));
        !dense && (layer + 1).checked_rem(self.decoder_sparse_step) == Some(0)
    }
}

#[derive(Deserialize)]
struct Own {
    qkv_bias: bool,
    max_window_layers: usize,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "max_position_embeddings": 32_768, "sliding_window": 4096, "max_window_layers": 28, "num_experts_per_tok": 4, "norm_topk_prob": false,
        "decoder_sparse_step": 1, "qkv_bias": true,
    });
    let cfg = Config::of(request, &defaults)?;
    let (own, sparse): (Own, Sparse) = (request.config_over(&defaults)?, request.config_over(&defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| mixture(&cfg, &sparse, w, x);
    let kind = |layer: usize| {
        let window = cfg.window(layer, |layer| layer % 2 == 0 && layer < own.max_window_layers);
        LayerKind { window: window.filter(|_| cfg.use_sliding_window), mixture: sparse.has(layer), ..LayerKind::USUAL }
    };
    let variant =
        Variant { layers: cfg.layers(kind), mixture: &mixture, qkv_bias: own.qkv_bias, output_bias: false, ..Variant::new(&cfg)? };
    decoder(request, &cfg, &variant)
}

/// The mixture of a layer, and the expert beside it.
pub(crate) fn mixture(cfg: &Config, sparse: &Sparse, w: &Weights, x: &Tensor) -> Tensor {
    let w = w.pp("mlp");
    let routed = by_softmax(&scores(&w.pp("gate"), x), sparse.num_experts_per_tok, sparse.norm_topk_prob);
    let shared = gated_mlp(&w.pp("shared_expert"), cfg.hidden_act, x, false);
    let gate = linear_no_bias(&w.pp("shared_expert_gate"), x).sigmoid();
    gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x) + gate * shared
}
