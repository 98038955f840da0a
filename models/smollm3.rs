//! SmolLM3: Llama in which some layers know no positions, and some may have a window.

use formers_converters::{Result, graph::Body};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::decoder::{Config, LayerKind, Variant, decoder},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("smollm3", Head::DECODER, build);

#[derive(Deserialize)]
struct Own {
    no_rope_layers: Option<Vec<usize>>,
    no_rope_layer_interval: usize,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 4, "max_position_embeddings": 32_768, "tie_word_embeddings": true, "rope_theta": 2_000_000.0,
        "no_rope_layer_interval": 4,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    // `no_rope_layers` has a 1 where positions turn.
    let turns = |layer: usize| match &own.no_rope_layers {
        Some(layers) => layers.get(layer).is_some_and(|&turns| turns != 0),
        None => (layer + 1).checked_rem(own.no_rope_layer_interval).is_some_and(|rest| rest > 0),
    };
    let kind = |layer: usize| {
        let window = cfg.window(layer, |layer| !turns(layer)).filter(|_| cfg.use_sliding_window);
        LayerKind { window, rotary: turns(layer).then_some(0), ..LayerKind::USUAL }
    };
    decoder(request, &cfg, &Variant { layers: cfg.layers(kind), ..Variant::new(&cfg)? })
}
