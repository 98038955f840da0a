//! VaultGemma (<https://arxiv.org/abs/2510.15001>): Gemma 2 without norms after its parts.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    blocks::Order,
    gemma2,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "vaultgemma", base: "model", heads: &[Head::CausalLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    let order = Order::InTurn { attention: (Some("input_layernorm"), None), mlp: (Some("pre_feedforward_layernorm"), None) };
    gemma2::layered(request, order)
}
