//! Mellum 2 (<https://huggingface.co/JetBrains/Mellum2-12B-A2.5B-Base>): Qwen3 with mixtures of experts, some of whose layers have a window and
//! other angles.

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
        blocks::{Mlp, Norm},
        mixture::{EXPERTS, by_softmax, gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mellum", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    norm_topk_prob: bool,
    mlp_layer_types: Option<Vec<String>>,
}

impl Own {
    fn is_dense(&self, layer: usize) -> bool {
        self.mlp_layer_types.as_ref().and_then(|types| types.get(layer)).is_some_and(|kind| kind == "dense")
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 4, "head_dim": 128, "max_position_embeddings": 131_072, "sliding_window": 1024, "num_experts_per_tok": 8,
        "norm_topk_prob": true, "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 500_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
    });
    let (mut cfg, own): (Config, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    cfg.rope = cfg.rope.whole();
    let mixture = |w: &Weights, x: &Tensor, layer: usize| {
        (!own.is_dense(layer)).then(|| {
            let w = w.pp("mlp");
            let routed = by_softmax(&scores(&w.pp("gate"), x), own.num_experts_per_tok, own.norm_topk_prob);
            gated(&w.pp("experts"), &EXPERTS, &routed, cfg.hidden_act, x)
        })
    };
    let projected = |w: &Weights, part: &str, x: &Tensor| match part {
        "v" => x.clone(),
        _ => Norm::Rms(cfg.rms_norm_eps).of_heads(&w.pp(format!("{part}_norm")), cfg.head_dim(), x),
    };
    let slides = |layer| cfg.slides(layer, |_| false);
    let angles = |kind: &str| cfg.frequencies(&cfg.rope.of_layer_type(kind));
    let variant = Variant {
        mlp: Mlp::Gated { bias: false },
        mixture: &mixture,
        projected: &projected,
        window: &|layer| cfg.sliding_window.filter(|_| slides(layer)),
        frequencies: vec![angles("full_attention")?, angles("sliding_attention")?],
        turns: &|layer| Some(usize::from(slides(layer))),
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
