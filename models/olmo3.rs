//! OLMo 3: OLMo 2 with a window in three of four layers, whose angles stay as they are where those of the others are scaled.

use formers_converters::{Result, graph::Body};
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    gemma3_text::nearby,
    llama::{Config, Variant, decoder},
    olmo2,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("olmo3", &[Head::CausalLm, Head::SequenceClassification], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let theta = json!(500_000.0);
    let cfg = Config::of(request, &json!({"rms_norm_eps": 1e-5, "sliding_window": 4096, "rope_theta": theta}))?;
    let slides = |layer| cfg.slides(layer, |layer| (layer + 1) % 4 > 0);
    let everywhere = cfg.frequencies(&cfg.rope.of_layer_type("full_attention"))?;
    let projected = olmo2::normed(&cfg);
    let variant = Variant {
        projected: &projected,
        window: &|layer| cfg.sliding_window.filter(|_| slides(layer)),
        frequencies: vec![everywhere, cfg.frequencies(&nearby(request, &theta)?)?],
        turns: &|layer| Some(usize::from(slides(layer))),
        ..olmo2::variant(&cfg)?
    };
    decoder(request, &cfg, &variant)
}
