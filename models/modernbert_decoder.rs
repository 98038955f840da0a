//! The decoder of Ettin (<https://arxiv.org/abs/2507.11412>): ModernBERT's layers, seen from left to right only.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{CachedAttention, Decoding, RopeConfig, Rotary, cached_attention, linear_if, rotary::Pairs},
};

use crate::{
    Architecture, Head, Request,
    modernbert::{Config, LayerType, head, mlp},
    parts::heads,
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("modernbert-decoder", &[Head::CausalLm, Head::SequenceClassification], build);

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    if cfg.local_attention < 2 {
        return Err(Error::config(format!("config.json: local_attention of {} leaves nothing to see", cfg.local_attention)));
    }
    let (graph, w) = request.graph();
    let base = w.base("model");
    let decoding = heads::decoding(request, &graph);
    let rope: RopeConfig = request.config()?;
    let rotary = |layer_type: &str, theta| {
        let frequencies = rope.of_layer_type(layer_type).frequencies(cfg.head_size(), theta, cfg.max_position_embeddings)?;
        Result::Ok(Rotary::for_positions(&frequencies, &decoding.positions, Pairs::Halves))
    };
    let [global, local] = [
        rotary("full_attention", cfg.global_rope_theta)?,
        rotary("sliding_attention", cfg.local_rope_theta.unwrap_or(cfg.global_rope_theta))?,
    ];

    let words = base.pp("embeddings.tok_embeddings");
    // The window reaches as far back as ModernBERT's does to one side.
    let [local, global] = [(local, Some(cfg.local_attention / 2)), (global, None)];
    let mut x = cfg.norm(&base.pp("embeddings.norm"), &decoding.embedded(&words));
    for (i, w) in base.layers("layers", cfg.num_hidden_layers).enumerate() {
        // The norm of the embeddings stands in for that of the first layer.
        let h = if i == 0 { x.clone() } else { cfg.norm(&w.pp("attn_norm"), &x) };
        let (rotary, window) = if cfg.layer_type(i)? == LayerType::SlidingAttention { &local } else { &global };
        let how =
            CachedAttention { window: *window, ..CachedAttention::new(cfg.num_attention_heads, cfg.num_attention_heads, cfg.head_size()) };
        x = x + self_attention(&cfg, &w.pp("attn"), &h, rotary, &how, &decoding, i);
        x = &x + mlp(&cfg, &w.pp("mlp"), &cfg.norm(&w.pp("mlp_norm"), &x));
    }
    // The same layers stand before words and before labels, under different names.
    let before = w.pp(if request.head == Head::SequenceClassification { "head" } else { "lm_head" });
    let last = |x: &Tensor| head(&cfg, &before, &cfg.norm(&base.pp("final_norm"), x));
    heads::answer(request, &decoding, &w, &x, last, |h| heads::decoder(&w, "decoder", cfg.tie_word_embeddings, &words, h));
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn self_attention(
    cfg: &Config,
    w: &Weights,
    x: &Tensor,
    rotary: &Rotary,
    how: &CachedAttention,
    decoding: &Decoding,
    index: usize,
) -> Tensor {
    let linear = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, cfg.attention_bias);
    let (query, key) = (rotary.of(&linear("q_proj", x), how.heads), rotary.of(&linear("k_proj", x), how.heads));
    linear("Wo", &cached_attention(decoding, index, how, &query, &key, &linear("v_proj", x)))
}
