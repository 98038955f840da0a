//! Phi-3 (<https://arxiv.org/abs/2404.14219>): Llama with one matrix for queries, keys and values, and one for gate and up.

use formers_converters::{Error, Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    llama::{Config, Variant, decoder},
    parts::blocks::Mlp,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("phi3", Head::DECODER_WITH_LABELS, build).runs_anew();

fn build(request: &Request) -> Result<Vec<Body>> {
    old_names(request)?;
    let cfg = Config::of(
        request,
        &json!({"rms_norm_eps": 1e-5, "max_position_embeddings": 4096, "original_max_position_embeddings": 4096, "partial_rotary_factor": 1.0}),
    )?;
    let variant = Variant { fused: true, mlp: Mlp::Fused, window: &|_| cfg.sliding_window, ..Variant::new(&cfg)? };
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
