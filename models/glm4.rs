//! GLM-4-0414: GLM with norms before and after each part.

use formers_converters::{Result, graph::Body};

use crate::{
    Architecture, Head, Request, glm,
    parts::{
        blocks::Order,
        decoder::{Config, Variant, decoder},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("glm4", Head::DECODER_WITH_LABELS, build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &glm::defaults())?;
    let order = Order::InTurn {
        attention: (Some("input_layernorm"), Some("post_self_attn_layernorm")),
        mlp: (Some("post_attention_layernorm"), Some("post_mlp_layernorm")),
    };
    decoder(request, &cfg, &Variant { order, ..glm::variant(&cfg)? })
}
