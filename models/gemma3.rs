//! Gemma 3 (<https://arxiv.org/abs/2503.19786>) with eyes: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{Architecture, Head, Request};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gemma3", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    request.text_alone("gemma3_text")
}
