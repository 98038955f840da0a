//! Qwen3.5 (<https://qwen.ai/blog?id=qwen3.5>), which sees pictures as well: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{Architecture, Head, Request};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("qwen3_5", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    request.text_alone("qwen3_5_text")
}
