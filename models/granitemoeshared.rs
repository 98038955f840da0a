//! Granite with mixtures of experts, and beside each a feed-forward part that all tokens pass through.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request, granite, granitemoe, granitemoehybrid,
    parts::decoder::{Config, LayerKind, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("granitemoeshared", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    shared_intermediate_size: usize,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let mut defaults = granite::defaults();
    defaults["num_experts_per_tok"] = json!(2);
    defaults["shared_intermediate_size"] = json!(0);
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let mixture = |w: &Weights, x: &Tensor, _: usize| {
        let mixed = granitemoe::mixture(&cfg, own.num_experts_per_tok, &w.pp("block_sparse_moe"), x);
        let shared = || granitemoehybrid::shared_mlp(&cfg, &w.pp("shared_mlp"), x);
        if own.shared_intermediate_size > 0 { mixed + shared() } else { mixed }
    };
    let variant = granite::variant(request, &cfg, &defaults)?;
    decoder(request, &cfg, &Variant { layers: cfg.layers(|_| LayerKind::MIXTURE), mixture: &mixture, ..variant })
}
