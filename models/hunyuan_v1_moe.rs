//! Hunyuan with mixtures of experts (<https://arxiv.org/abs/2411.02265>), and beside each a feed-forward part that all tokens pass through.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::gated_mlp,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    hunyuan_v1_dense::qk_norm,
    parts::{
        decoder::{Config, LayerKind, Variant, decoder},
        mixture::{EXPERTS, by_softmax, gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("hunyuan_v1_moe", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
#[serde(default)]
struct Own {
    moe_topk: Chosen,
}

impl Default for Own {
    fn default() -> Self {
        Self { moe_topk: Chosen::All(1) }
    }
}

/// How many experts a token has, in all layers or in each.
#[derive(Deserialize)]
#[serde(untagged)]
enum Chosen {
    All(usize),
    Each(Vec<usize>),
}

impl Chosen {
    fn of(&self, layer: usize) -> usize {
        match self {
            Self::All(chosen) => *chosen,
            Self::Each(each) => each.get(layer).copied().unwrap_or_default(),
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"rms_norm_eps": 1e-5}))?;
    let own: Own = request.config_mapped(&[("num_experts_per_tok", "moe_topk")])?;
    let mixture = |w: &Weights, x: &Tensor, layer: usize| {
        let w = w.pp("mlp");
        let routed = by_softmax(&scores(&w.pp("gate.wg"), x), own.moe_topk.of(layer), true);
        let shared = gated_mlp(&w.pp("shared_mlp"), cfg.hidden_act, x, false);
        gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x) + shared
    };
    let layers = cfg.layers(|_| LayerKind::MIXTURE);
    decoder(request, &cfg, &Variant { layers, mixture: &mixture, qk_norm: Some(qk_norm(&cfg)), ..Variant::new(&cfg)? })
}
