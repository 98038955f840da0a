//! Marian (<https://arxiv.org/abs/1804.00344>), the translation models of Helsinki-NLP: BART with positions of sines, and no norm of
//! the embeddings.

use formers_converters::{Result, graph::Body};

use crate::{
    Architecture, Head, Request,
    bart::{self, EmbeddingNorm, Variant},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("marian", &[Head::Seq2SeqLm], build).generation(&[
    ("pad_token_id", 58100),
    ("eos_token_id", 0),
    ("decoder_start_token_id", 58100),
    ("forced_eos_token_id", 0),
]);

const VARIANT: Variant<'static> = Variant { embedding_norm: EmbeddingNorm::None, positions: bart::sines, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &VARIANT)
}
