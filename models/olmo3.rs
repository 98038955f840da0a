//! OLMo 3: OLMo 2 with a window in three of four layers, whose angles stay as they are where those of the others are scaled.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    gemma3_text::nearby,
    olmo2,
    parts::decoder::{Config, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("olmo3", &[Head::CausalLm, Head::SequenceClassification], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let theta = json!(500_000.0);
    let cfg = Config::of(request, &json!({"rms_norm_eps": 1e-5, "sliding_window": 4096, "rope_theta": theta}))?;
    let everywhere = cfg.frequencies(&cfg.rope.of_layer_type("full_attention"))?;
    let variant = Variant {
        layers: cfg.near_and_far(|layer| (layer + 1) % 4 > 0),
        frequencies: vec![everywhere, cfg.frequencies(&nearby(request, &theta)?)?],
        ..olmo2::variant(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
