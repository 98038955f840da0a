//! Qwen3 (<https://arxiv.org/abs/2505.09388>): Llama with norms on the heads of queries and keys; some layers may have a window.

use formers_converters::{Result, graph::Body};

use crate::{
    architecture::{Architecture, Head, Request},
    llama::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "qwen3", base: "model", heads: &[Head::CausalLm], build };

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    decoder(
        request,
        &cfg,
        &Variant {
            qkv_bias: cfg.attention_bias(),
            output_bias: cfg.attention_bias(),
            head_norms: true,
            window: &|layer| cfg.window_of(layer),
        },
    )
}
