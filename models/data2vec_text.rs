//! data2vec for text (<https://arxiv.org/abs/2202.03555>): RoBERTa that was trained in another way.

use formers_converters::{Result, graph::Body};

use crate::{Architecture, Head, Request, roberta};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("data2vec-text", Head::ENCODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    roberta::model(request, "data2vec_text", roberta::encoder)
}
