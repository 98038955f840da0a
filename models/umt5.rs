//! UMT5 (<https://arxiv.org/abs/2304.09151>): mT5, with biases for distances that each layer has for itself.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Request,
    t5::{self, Config, Tables},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("umt5", t5::HEADS, build).generation(&[("pad_token_id", 0), ("eos_token_id", 1), ("decoder_start_token_id", 0)]);

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"num_layers": 8, "num_heads": 6, "feed_forward_proj": "gated-gelu"});
    let cfg = Config::read(request, &defaults)?;
    t5::graphs(request, &cfg, Tables::Each, &|base, text| t5::encoder(&cfg, base, text, Tables::Each))
}
