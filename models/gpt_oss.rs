//! gpt-oss (<https://arxiv.org/abs/2508.10925>): heads with sinks, a window in every second layer, and experts with biases and clamped gates.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{CachedAttention, Expert, Gate, Routed, gated_experts, mxfp4},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        decoder::{Config, LayerKind, Layers, Variant, decoder},
        mixture::scores,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gpt_oss", Head::DECODER_WITH_LABELS, build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    swiglu_alpha: f32,
    swiglu_limit: f32,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = json!({
        "num_key_value_heads": 8, "head_dim": 64, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "sliding_window": 128,
        "attention_bias": true, "rope_theta": 150_000.0, "num_experts_per_tok": 4, "swiglu_alpha": 1.702, "swiglu_limit": 7.0,
    });
    if request.config.get("rope_scaling").is_none() {
        defaults["rope_parameters"] = json!({
            "rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false, "original_max_position_embeddings": 4096,
        });
    }
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let w = w.pp("mlp");
        // Weights add up to 1 among those that are chosen.
        let routed = Routed::best(&scores(&w.pp("router"), x), own.num_experts_per_tok).weighted(|w| w.softmax(-1));
        let w = w.pp("experts");
        let gate = Gate { alpha: own.swiglu_alpha, shift: 1.0, limit: Some(own.swiglu_limit) };
        gated_experts(x, &routed, gate, |i| expert(&w, i))
    };
    // Each head has a sink.
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| {
        let w = w.pp("self_attn");
        let turned = layers.turned(&w, layers.projections(&w, x), layer);
        let how = CachedAttention { sinks: Some(w.get("sinks", &[cfg.num_attention_heads])), ..layers.how(layer) };
        layers.output(&w, &layers.find(&how, turned, layer))
    };
    let kind = |layer| LayerKind { window: cfg.window(layer, |layer| layer % 2 == 0), mixture: true, ..LayerKind::OWN };
    decoder(request, &cfg, &Variant { layers: cfg.layers(kind), mixer: &mixer, mixture: &mixture, ..Variant::new(&cfg)? })
}

/// One expert's part of `(experts, inputs, outputs)`, or of what holds it in 4 bits, and of the biases, `(experts, outputs)`.
fn expert(w: &Weights, expert: usize) -> Expert<Tensor> {
    let names = ["gate_up_proj", "down_proj"];
    let by_columns = !w.has("gate_up_proj_blocks");
    let matrix = |name: &str| if by_columns { w.nth(name, expert) } else { mxfp4(w, name, expert) };
    Expert::Paired { matrices: names.map(matrix), biases: names.map(|name| w.nth(&format!("{name}_bias"), expert)), by_columns }
}
