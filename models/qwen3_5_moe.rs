//! Qwen3.5 with mixtures of experts, which sees pictures as well: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    qwen3_5_moe_text,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "qwen3_5_moe", base: "model", heads: &[Head::CausalLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    request.of_text(qwen3_5_moe_text::build)
}
