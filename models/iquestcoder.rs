//! IQuest-Coder (<https://huggingface.co/IQuestLab/IQuest-Coder-V1-40B-Instruct>): Llama under another name.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("iquestcoder", &[Head::CausalLm], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5});
    let cfg = Config::of(request, &defaults)?;
    decoder(request, &cfg, &Variant::new(&cfg)?)
}
