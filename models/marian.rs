//! Marian (<https://arxiv.org/abs/1804.00344>), the translation models of Helsinki-NLP: BART with positions of sines, and no norm of
//! the embeddings.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    bart::{self, EmbeddingNorm, Variant},
    positions,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "marian", base: "model", heads: &[Head::Seq2SeqLm], build };

const VARIANT: Variant<'static> = Variant { embedding_norm: EmbeddingNorm::None, positions: positions::sines, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &VARIANT)
}
