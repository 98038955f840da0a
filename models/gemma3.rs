//! Gemma 3 (<https://arxiv.org/abs/2503.19786>) with eyes: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    gemma3_text,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "gemma3", base: "model", heads: &[Head::CausalLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    request.of_text(gemma3_text::build)
}
