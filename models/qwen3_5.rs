//! Qwen3.5 (<https://qwen.ai/blog?id=qwen3.5>), which sees pictures as well: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    qwen3_5_text,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "qwen3_5", base: "model", heads: &[Head::CausalLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    request.of_text(qwen3_5_text::build)
}
