//! PLBART (<https://arxiv.org/abs/2103.06333>): BART for programs, whose texts name their language as mBART's do.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    architecture::{Architecture, Head, Request},
    bart::{self, Variant},
    mbart,
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture { model_type: "plbart", base: "model", heads: &[Head::SequenceClassification, Head::Seq2SeqLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = request.config_mapped_over(bart::USUAL_NAMES, &json!({"scale_embedding": true}))?;
    bart::graphs(request, &cfg, &Variant { shifted: mbart::behind_language, ..bart::VARIANT })
}
