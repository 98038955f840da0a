//! Blenderbot (<https://arxiv.org/abs/2004.13637>): mBART without a norm of the embeddings.

use formers_converters::{Result, graph::Body};

use crate::{
    Architecture, Head, Request,
    bart::{self, EmbeddingNorm, Variant},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("blenderbot", &[Head::Seq2SeqLm], build).generation(&[
    ("pad_token_id", 0),
    ("bos_token_id", 1),
    ("eos_token_id", 2),
    ("decoder_start_token_id", 1),
    ("forced_eos_token_id", 2),
    ("encoder_no_repeat_ngram_size", 3),
]);

const VARIANT: Variant<'static> =
    Variant { norm_first: true, embedding_norm: EmbeddingNorm::None, positions: bart::learned::<0>, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &VARIANT)
}
