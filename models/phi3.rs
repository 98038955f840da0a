//! Phi-3 (<https://arxiv.org/abs/2404.14219>): Llama with one matrix for queries, keys and values, and one for gate and up.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::linear_if,
};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Mlp,
        decoder::{Config, LayerKind, Layers, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("phi3", Head::DECODER_WITH_LABELS, build).runs_anew();

fn build(request: &Request) -> Result<Vec<Body>> {
    old_names(request)?;
    let cfg = Config::of(
        request,
        &json!({"rms_norm_eps": 1e-5, "max_position_embeddings": 4096, "original_max_position_embeddings": 4096, "partial_rotary_factor": 1.0}),
    )?;
    // Queries, keys and values come from one matrix.
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| {
        let w = w.pp("self_attn");
        let all = linear_if(&w.pp("qkv_proj"), x, cfg.attention_bias);
        let width = |heads: usize| i64::try_from(heads.saturating_mul(cfg.head_dim())).unwrap_or(i64::MAX);
        let (queries, keys) = (width(cfg.num_attention_heads), width(cfg.groups()));
        let both = queries.saturating_add(keys);
        let projected = [all.slice(2, 0, queries), all.slice(2, queries, both), all.slice(2, both, i64::MAX)];
        layers.output(&w, &layers.attend(&w, projected, layer))
    };
    let layers = cfg.layers(|_| LayerKind { window: cfg.sliding_window, ..LayerKind::OWN });
    let variant = Variant { layers, mixer: &mixer, mlp: Mlp::Fused, ..Variant::new(&cfg)? };
    decoder(request, &cfg, &variant)
}

/// An error for the names that `longrope` had in the first checkpoints, one of which means something else today.
fn old_names(request: &Request) -> Result<()> {
    for field in ["rope_scaling", "rope_parameters"] {
        let parameters = request.config.get(field);
        let kind = ["rope_type", "type"].iter().find_map(|key| parameters?.get(key)?.as_str()).unwrap_or_default();
        if matches!(kind, "su" | "yarn") {
            return Err(Error::unsupported(format!(
                "config.json: {field} has type {kind:?}, an old name; write \"longrope\", which it means"
            )));
        }
        if !matches!(kind, "" | "default" | "longrope") {
            return Err(Error::unsupported(format!("config.json: {field} has type {kind:?}; this architecture has only \"longrope\"")));
        }
    }
    Ok(())
}
