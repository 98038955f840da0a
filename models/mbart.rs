//! mBART (<https://arxiv.org/abs/2001.08210>): BART with norms before each part, and one more behind the last layer; its texts name
//! their language.

use formers_converters::{
    Dtype, Result,
    graph::{Body, Tensor},
};

use crate::{
    Architecture, Head, Moved, Request,
    bart::{self, Config, Variant},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("mbart", &[Head::Base, Head::SequenceClassification, Head::QuestionAnswering, Head::Seq2SeqLm], build)
        .generation(&[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("forced_eos_token_id", 2)])
        .moves_what_it_reads(Moved::BehindLast);

const VARIANT: Variant<'static> = Variant { norm_first: true, shifted: behind_language, ..bart::VARIANT };

fn build(request: &Request) -> Result<Vec<Body>> {
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &VARIANT)
}

/// The last token that is not padding, which is the language, goes to the front.
pub(crate) fn behind_language(cfg: &Config, ids: &Tensor) -> Tensor {
    let graph = ids.graph();
    let tokens = ids.equal(&graph.ints(&[], &[cfg.pad_token_id.unwrap_or(1)])).not().cast(Dtype::I64);
    let last = tokens.sum(&[1], true) - graph.ints(&[], &[1]);
    bart::behind(&ids.gather_elements(&last, 1), ids)
}
