//! Llama 3.2 that sees pictures as well (<https://arxiv.org/abs/2407.21783>): what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{Architecture, Head, Request};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mllama", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    request.text_alone("mllama_text_model")
}
