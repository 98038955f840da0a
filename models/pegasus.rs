//! Pegasus (<https://arxiv.org/abs/1912.08777>): mBART with positions of sines, and no norm of the embeddings.

use formers_converters::{Result, graph::Body};

use crate::{
    Architecture, Head, Request,
    bart::{self, EmbeddingNorm, Variant},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("pegasus", &[Head::Seq2SeqLm], build).generation(&[
    ("pad_token_id", 0),
    ("eos_token_id", 1),
    ("decoder_start_token_id", 0),
    ("forced_eos_token_id", 1),
]);

const VARIANT: Variant<'static> =
    Variant { norm_first: true, embedding_norm: EmbeddingNorm::None, positions: bart::sines, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &VARIANT)
}
