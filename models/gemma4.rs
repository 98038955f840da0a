//! Gemma 4 (<https://ai.google.dev/gemma/docs/core>), which sees pictures as well: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    gemma4_text,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "gemma4", base: "model", heads: &[Head::CausalLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    request.of_text(gemma4_text::build)
}
