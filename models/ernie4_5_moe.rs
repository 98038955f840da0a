//! ERNIE 4.5 with mixtures of experts, chosen by scores that a bias corrects, and experts that all tokens pass through.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Routed, gated_mlp},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request, ernie4_5,
    parts::{
        decoder::{Config, LayerKind, Variant, decoder},
        mixture::{EXPERTS, gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("ernie4_5_moe", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    moe_k: usize,
    moe_num_shared_experts: usize,
    moe_layer_start_index: usize,
    moe_layer_end_index: i64,
    moe_layer_interval: usize,
    moe_norm_min: f32,
}

impl Own {
    /// Whether a layer is a mixture; an end of -1 is the last layer.
    fn has(&self, layer: usize) -> bool {
        let ends = usize::try_from(self.moe_layer_end_index).is_ok_and(|end| layer > end);
        layer >= self.moe_layer_start_index && !ends && (layer + 1).checked_rem(self.moe_layer_interval) == Some(0)
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 4, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
        "rope_theta": 500_000.0, "moe_k": 6, "moe_num_shared_experts": 2, "moe_layer_start_index": 1, "moe_layer_end_index": -1,
        "moe_layer_interval": 1, "moe_norm_min": 1e-12,
    });
    let cfg = Config::of(request, &defaults)?;
    let own: Own = request.config_mapped_over(&[("num_experts_per_tok", "moe_k")], &defaults)?;
    let bias = ernie4_5::has_bias(request)?;
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = w.pp("mlp");
        let probabilities = scores(&w.pp("gate"), x).softmax(-1);
        let correction = [w.pp("moe_statics"), w.pp("gate.moe_statics")].into_iter().find(Weights::exists);
        let correction = correction.unwrap_or_else(|| w.pp("moe_statics")).any("e_score_correction_bias", 2);
        let routed = Routed::chosen_by(&(&probabilities + correction), &probabilities, own.moe_k).normalized(own.moe_norm_min);
        let mixed = gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x);
        let shared = || gated_mlp(&w.pp("shared_experts"), cfg.hidden_act, x, bias);
        if own.moe_num_shared_experts > 0 { mixed + shared() } else { mixed }
    };
    let layers = cfg.layers(|layer| LayerKind { mixture: own.has(layer), ..LayerKind::USUAL });
    decoder(request, &cfg, &Variant { layers, mixture: &mixture, ..ernie4_5::variant(&cfg, bias)? })
}
