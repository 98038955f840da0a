//! AFM of Arcee: Llama with a feed-forward part without a gate.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Mlp,
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("arcee", Head::DECODER, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({"hidden_act": "relu2", "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}))?;
    let mlp = Mlp::Plain { names: ["up_proj", "down_proj"], bias: cfg.mlp_bias };
    decoder(request, &cfg, &Variant { mlp, ..Variant::new(&cfg)? })
}
