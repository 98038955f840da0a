//! Pegasus (<https://arxiv.org/abs/1912.08777>): mBART with positions of sines, and no norm of the embeddings.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    bart::{self, EmbeddingNorm, Variant},
    positions,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "pegasus", base: "model", heads: &[Head::Seq2SeqLm], build };

const VARIANT: Variant<'static> =
    Variant { norm_first: true, embedding_norm: EmbeddingNorm::None, positions: positions::sines, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &VARIANT)
}
