//! Llama 4, which sees pictures as well: what it writes about text alone.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    llama4_text,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "llama4", base: "model", heads: &[Head::CausalLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    request.of_text(llama4_text::build)
}
