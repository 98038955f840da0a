//! PLBART (<https://arxiv.org/abs/2103.06333>): BART for programs, whose texts name their language as mBART's do.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Moved, Request,
    bart::{self, Variant},
    mbart,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("plbart", &[Head::SequenceClassification, Head::Seq2SeqLm], build)
    .generation(&[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("forced_eos_token_id", 2)])
    .moves_what_it_reads(Moved::BehindLast);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = request.config_mapped_over(bart::USUAL_NAMES, &json!({"scale_embedding": true}))?;
    bart::graphs(request, &cfg, &Variant { shifted: mbart::behind_language, ..bart::VARIANT })
}
