//! UMT5 (<https://arxiv.org/abs/2304.09151>): mT5, with biases for distances that each layer has for itself.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    architecture::{Architecture, Request},
    t5::{self, Config, Tables},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "umt5", base: "transformer", heads: t5::HEADS, build };

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"num_layers": 8, "num_heads": 6, "feed_forward_proj": "gated-gelu"});
    let cfg = Config::read(request, &defaults)?;
    t5::graphs(request, &cfg, Tables::Each, &|base, text| t5::encoder(&cfg, base, text, Tables::Each))
}
