//! Gemma 4 (<https://ai.google.dev/gemma/docs/core>), which sees pictures as well: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{Architecture, Head, Request};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gemma4", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    request.text_alone("gemma4_text")
}
