//! mT5 (<https://arxiv.org/abs/2010.11934>): T5 1.1 for many languages.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Request,
    t5::{self, Config, Tables},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("mt5", t5::HEADS, build).generation(&[("pad_token_id", 0), ("eos_token_id", 1), ("decoder_start_token_id", 0)]);

fn build(request: &Request) -> Result<Vec<Body>> {
    // Version 5 of Transformers never scales, and says that words are tied in all that it saves; version 4 found that nowhere.
    let defaults = json!({"num_layers": 8, "num_heads": 6, "feed_forward_proj": "gated-gelu", "scale_decoder_outputs": false});
    let cfg = Config::read(request, &defaults)?;
    t5::graphs(request, &cfg, Tables::First, &|base, text| t5::encoder(&cfg, base, text, Tables::First))
}
