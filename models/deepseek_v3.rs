//! DeepSeek-V3 (<https://arxiv.org/abs/2412.19437>): DeepSeek-V2 whose experts are scored one by one, and chosen with a bias that keeps them busy.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Groups, Routed, experts::no_score, gated_mlp, rotary::Pairs},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Mlp,
        decoder::{Config, LayerKind, Variant, decoder},
        mixture::{EXPERTS, gated, scores},
        mla::Latent,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("deepseek_v3", Head::DECODER_WITH_LABELS, build);

/// How layers choose among experts that are scored one by one; successors do so as well.
#[derive(Deserialize)]
pub(crate) struct Chosen {
    num_experts_per_tok: usize,
    n_group: usize,
    topk_group: usize,
    norm_topk_prob: bool,
    routed_scaling_factor: f32,
    first_k_dense_replace: usize,
    mlp_layer_types: Option<Vec<String>>,
}

impl Chosen {
    /// Whether a layer has a dense feed-forward part.
    pub(crate) fn is_dense(&self, layer: usize) -> bool {
        match &self.mlp_layer_types {
            Some(types) => types.get(layer).is_some_and(|kind| kind == "dense"),
            None => layer < self.first_k_dense_replace,
        }
    }

    /// The mixture of a layer that is no dense one, and the experts that all tokens pass through.
    pub(crate) fn mixture(&self, cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
        const CORRECTION: &str = "e_score_correction_bias";
        let w = w.pp("mlp");
        let scores = scores(&w.pp("gate"), x).sigmoid();
        let beside = if w.has(CORRECTION) { w.clone() } else { w.pp("gate") };
        let corrected = &scores + beside.get(CORRECTION, &[scores.fixed(-1)]);
        let groups = Groups { count: self.n_group, kept: self.topk_group, best: 2 };
        let choice = groups.limit(&corrected, no_score(&corrected));
        let routed = Routed::chosen_by(&choice, &scores, self.num_experts_per_tok);
        let routed = if self.norm_topk_prob { routed.normalized(1e-20) } else { routed };
        let routed = routed.scaled(self.routed_scaling_factor);
        let shared = gated_mlp(&w.pp("shared_experts"), cfg.hidden_act, x, false);
        gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x) + shared
    }
}

#[derive(Deserialize)]
struct Own {
    rope_interleave: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "max_position_embeddings": 4096, "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4, "norm_topk_prob": true,
        "routed_scaling_factor": 2.5, "first_k_dense_replace": 3, "rope_interleave": true, "num_nextn_predict_layers": 1,
    });
    latent(request, &defaults)
}

/// The graph of a model of this kind, with what it takes for fields that are not there.
pub(crate) fn latent(request: &Request, defaults: &Value) -> Result<Vec<Body>> {
    let mut cfg = Config::of(request, defaults)?;
    let (own, chosen): (Own, Chosen) = (request.config_over(defaults)?, request.config_over(defaults)?);
    let latent: Latent = request.config_over(defaults)?;
    cfg.head_dim = Some(latent.qk_rope_head_dim);
    let mixture = |w: &Weights, x: &Tensor, _: usize| chosen.mixture(&cfg, w, x);
    let mixer = latent.mixer(&cfg);
    let variant = Variant {
        layers: cfg.layers(|layer| LayerKind { mixture: !chosen.is_dense(layer), ..LayerKind::OWN }),
        mlp: Mlp::Gated { bias: false },
        mixture: &mixture,
        mixer: &mixer,
        pairs: if own.rope_interleave { Pairs::Neighbours } else { Pairs::Halves },
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
