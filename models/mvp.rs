//! MVP (<https://arxiv.org/abs/2206.12131>): BART that was trained on many tasks; perhaps with prompts that were learned, which are not
//! known here.

use formers_converters::{Error, Result, graph::Body};
use serde_json::Value;

use crate::{Architecture, Head, Request, bart};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("mvp", &[Head::SequenceClassification, Head::QuestionAnswering, Head::Seq2SeqLm], build).generation(&[
        ("pad_token_id", 1),
        ("bos_token_id", 0),
        ("eos_token_id", 2),
        ("decoder_start_token_id", 2),
        ("forced_eos_token_id", 2),
    ]);

fn build(request: &Request) -> Result<Vec<Body>> {
    if request.config.get("use_prompt").and_then(Value::as_bool) == Some(true) {
        return Err(Error::unsupported("config.json: use_prompt is true, but prompts that were learned are not known here"));
    }
    bart::graphs(request, &request.config_mapped(bart::USUAL_NAMES)?, &bart::VARIANT)
}
