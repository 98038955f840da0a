//! GraniteMoE: Granite with mixtures of experts.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::GatedExperts,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request, granite,
    parts::{
        decoder::{Config, LayerKind, Variant, decoder},
        mixture::{by_softmax, gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("granitemoe", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = granite::defaults();
    defaults["num_experts_per_tok"] = json!(2);
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| mixture(&cfg, own.num_experts_per_tok, &w.pp("block_sparse_moe"), x);
    let variant = granite::variant(request, &cfg, &defaults)?;
    decoder(request, &cfg, &Variant { layers: cfg.layers(|_| LayerKind::MIXTURE), mixture: &mixture, ..variant })
}

/// The mixture of a layer, under its older or newer names.
pub(crate) fn mixture(cfg: &Config, chosen: usize, w: &Weights, x: &Tensor) -> Tensor {
    let (older, names) = (w.pp("router.layer"), ["input_linear.weight", "output_linear.weight"]);
    let (router, stacked) = if older.exists() { (older, names) } else { (w.pp("router"), ["experts.gate_up_proj", "experts.down_proj"]) };
    let routed = by_softmax(&scores(&router, x), chosen, true);
    gated(w, &GatedExperts { each: ["gate", "up", "down"], stacked }, &routed, cfg.hidden_act, x)
}
