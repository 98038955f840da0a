//! Llama 4, its text model: layers that know positions see chunks of the text, the others all of it; experts are weighted by what goes in.

use std::cell::OnceCell;

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, CachedAttention, Decoding, Routed, Weigh, cached_attention, experts, gated_mlp, rotary::Pairs},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm},
        decoder::{Config, LayerKind, Layers, Variant, decoder},
        mixture::scores,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("llama4_text", &[Head::CausalLm], build);

#[derive(Deserialize)]
struct Own {
    num_experts_per_tok: usize,
    moe_layers: Option<Vec<usize>>,
    interleave_moe_layer_step: usize,
    use_qk_norm: bool,
    no_rope_layers: Option<Vec<usize>>,
    no_rope_layer_interval: usize,
    attention_chunk_size: Option<usize>,
    attn_temperature_tuning: bool,
    floor_scale: f32,
    attn_scale: f32,
}

impl Own {
    /// Whether positions turn queries and keys of a layer: `no_rope_layers` has a 1 where they do.
    fn turns(&self, layer: usize) -> bool {
        match self.no_rope_layers.as_ref().filter(|layers| !layers.is_empty()) {
            Some(layers) => layers.get(layer).is_some_and(|&turns| turns != 0),
            None => (layer + 1).checked_rem(self.no_rope_layer_interval).is_some_and(|rest| rest > 0),
        }
    }

    fn is_mixture(&self, layer: usize) -> bool {
        match &self.moe_layers {
            Some(layers) => layers.contains(&layer),
            None => (layer + 1).checked_rem(self.interleave_moe_layer_step) == Some(0),
        }
    }

    /// Scores of later tokens are larger where no positions turn: `1 + scale · ln(1 + ⌊(position + 1) / floor⌋)`.
    fn tempered(&self, query: &Tensor, positions: &Tensor) -> Tensor {
        let steps = ((positions.cast(Dtype::F32) + 1.0) / self.floor_scale).floor();
        let scale = (steps + 1.0).log() * self.attn_scale + 1.0;
        query * scale.cast(query.dtype()).unsqueeze(&[2])
    }
}

pub(crate) fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({
        "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "rope_theta": 500_000.0,
        "num_experts_per_tok": 1, "interleave_moe_layer_step": 1, "use_qk_norm": true, "no_rope_layer_interval": 4,
        "attention_chunk_size": 8192, "attn_temperature_tuning": true, "floor_scale": 8192, "attn_scale": 0.1,
    });
    let (cfg, own): (_, Own) = (Config::of(request, &defaults)?, request.config_over(&defaults)?);
    let chunked = OnceCell::new();
    let mixer = |layers: &Layers, w: &Weights, x: &Tensor, layer: usize| {
        let w = w.pp("self_attn");
        let (heads, groups, size) = (cfg.num_attention_heads, cfg.groups(), cfg.head_dim());
        let [mut query, mut key, value] = layers.projections(&w, x);
        if let (true, Some(rotary)) = (own.turns(layer), layers.rotaries.first()) {
            (query, key) = (rotary.of(&query, heads), rotary.of(&key, groups));
            if own.use_qk_norm {
                let norm = Norm::RmsAlone(cfg.rms_norm_eps);
                (query, key) = (norm.of_heads(&w, size, &query), norm.of_heads(&w, size, &key));
            }
        } else if own.attn_temperature_tuning {
            query = own.tempered(&query, &layers.decoding.positions);
        }
        let is_chunked = match &cfg.layer_types {
            Some(types) => types.get(layer).is_some_and(|kind| kind == "chunked_attention"),
            None => own.turns(layer),
        };
        let decoding: &Decoding = match own.attention_chunk_size.filter(|_| is_chunked) {
            Some(size) => chunked.get_or_init(|| layers.decoding.with_chunks(size)),
            None => layers.decoding,
        };
        let attended = cached_attention(decoding, layer, &CachedAttention::new(heads, groups, size), &query, &key, &value);
        layers.output(&w, &attended)
    };
    let mixture = |w: &Weights, x: &Tensor, _: usize| own.mixture(&w.pp("feed_forward"), cfg.hidden_act, x);
    let variant = Variant {
        layers: cfg.layers(|layer| LayerKind { mixture: own.is_mixture(layer), ..LayerKind::OWN }),
        mixer: &mixer,
        mlp: Mlp::Gated { bias: false },
        feed_forward: "feed_forward",
        mixture: &mixture,
        pairs: Pairs::Neighbours,
        ..Variant::new(&cfg)?
    };
    decoder(request, &cfg, &variant)
}

impl Own {
    fn mixture(&self, w: &Weights, act: Activation, x: &Tensor) -> Tensor {
        let routed = Routed::best(&scores(&w.pp("router"), x), self.num_experts_per_tok).weighted(Tensor::sigmoid);
        let shared = gated_mlp(&w.pp("shared_expert"), act, x, false);
        let all = w.pp("experts");
        // One expert's part of (experts, inputs, outputs).
        let product = |name: &str, expert: usize, x: &Tensor| x.matmul(&all.nth(name, expert));
        let mixed = experts(x, &routed, Weigh::Inputs, |expert, x| {
            let both = product("gate_up_proj", expert, x);
            let half = both.fixed(-1) / 2;
            match <[Tensor; 2]>::try_from(both.split(1, &[half, both.fixed(-1) - half])) {
                Ok([gate, up]) => product("down_proj", expert, &(up * act.of(&gate))),
                Err(_) => both,
            }
        });
        mixed + shared
    }
}
