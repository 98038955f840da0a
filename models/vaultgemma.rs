//! VaultGemma (<https://arxiv.org/abs/2510.15001>): Gemma 2 without norms after its parts.

use formers_converters::{Result, graph::Body};

use crate::{Architecture, Head, Request, gemma2, parts::blocks::Order};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("vaultgemma", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let order = Order::InTurn { attention: (Some("input_layernorm"), None), mlp: (Some("pre_feedforward_layernorm"), None) };
    gemma2::layered(request, order)
}
