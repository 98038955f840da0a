//! The small model of Blenderbot (<https://arxiv.org/abs/2004.13637>): BART whose decoder normalizes words before it adds positions.

use formers_converters::{Result, graph::Body};

use crate::{
    Architecture, Head, Request,
    bart::{self, EmbeddingNorm, Variant},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("blenderbot-small", &[Head::Seq2SeqLm], build).generation(&[
    ("pad_token_id", 0),
    ("bos_token_id", 1),
    ("eos_token_id", 2),
    ("decoder_start_token_id", 1),
    ("forced_eos_token_id", 2),
]);

const VARIANT: Variant<'static> = Variant { embedding_norm: EmbeddingNorm::OfSumOrWords, positions: bart::learned::<0>, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &VARIANT)
}
