//! Qwen3.5 with mixtures of experts, which sees pictures as well: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{Architecture, Head, Request};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen3_5_moe", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    request.text_alone("qwen3_5_moe_text")
}
