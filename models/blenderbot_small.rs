//! The small model of Blenderbot (<https://arxiv.org/abs/2004.13637>): BART whose decoder normalizes words before it adds positions.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    bart::{self, EmbeddingNorm, Variant},
    positions,
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture { model_type: "blenderbot-small", base: "model", heads: &[Head::Seq2SeqLm], build };

const VARIANT: Variant<'static> =
    Variant { embedding_norm: EmbeddingNorm::OfSumOrWords, positions: positions::learned::<0>, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &VARIANT)
}
