//! The layers of T5's encoder and decoder.

use formers_converters::{
    Weights,
    graph::Tensor,
    layers::{
        CachedAttention, Decoding, Mask, Source, attention, cached_attention, cross_attention, embedding, linear_no_bias, relative,
        rms_norm,
    },
};

use super::Config;
use crate::parts::inputs;

/// Which layers have a table of biases.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// The first, whose biases all layers add.
    First,
    /// Each its own.
    Each,
}

/// The scope of the embeddings: one table for all, that checkpoints may have under several names.
pub(super) fn words(w: &Weights) -> Weights {
    let names = ["shared", "encoder.embed_tokens", "decoder.embed_tokens"];
    // Checkpoints may repeat it.
    names.iter().skip(1).for_each(|name| w.skip(name));
    names.map(|name| w.pp(name)).into_iter().find(|scope| scope.has("weight")).unwrap_or_else(|| w.pp("shared"))
}

pub(crate) fn encoder(cfg: &Config, w: &Weights, text: &inputs::Text, tables: Tables) -> Tensor {
    let mask = |layer: &Weights| {
        let table = table(cfg, &layer.pp("SelfAttention.relative_attention_bias"));
        let distances = relative::bias(&table, &text.length(), cfg.relative_attention_max_distance, |d| cfg.bucket(d));
        Mask::padding(&text.attention_mask).with_bias(&distances)
    };
    let first = mask(&w.pp("encoder.block.0.layer.0"));
    layers(cfg, w, text, |w, x| {
        let attends = w.pp("SelfAttention");
        match tables {
            Tables::First => self_attention(cfg, &attends, x, &first),
            Tables::Each => self_attention(cfg, &attends, x, &mask(w)),
        }
    })
}

/// An encoder's hidden states, with this way to attend.
pub(crate) fn layers(cfg: &Config, w: &Weights, text: &inputs::Text, attention: impl Fn(&Weights, &Tensor) -> Tensor) -> Tensor {
    let norm = |w: &Weights, x: &Tensor| rms_norm(w, cfg.layer_norm_epsilon, x);
    let x = embedding(&words(w), &text.input_ids);
    let w = w.pp("encoder");
    let x = w.layers("block", cfg.num_layers).fold(x, |x, w| {
        let (attends, feeds) = (w.pp("layer.0"), w.pp("layer.1"));
        let x = &x + attention(&attends, &norm(&attends.pp("layer_norm"), &x));
        feed_forward(cfg, &feeds, &x)
    });
    norm(&w.pp("final_layer_norm"), &x)
}

/// Biases by bucket, `(buckets, heads)`.
pub(crate) fn table(cfg: &Config, w: &Weights) -> Tensor {
    w.get("weight", &[cfg.relative_attention_num_buckets, cfg.num_heads])
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, mask: &Mask) -> Tensor {
    let (query, [key, value]) = (linear_no_bias(&w.pp("q"), x), keys_and_values(w, x));
    linear_no_bias(&w.pp("o"), &attention(&query, &key, &value, cfg.num_heads, 1.0, mask))
}

/// `wanted` picks the tokens whose hidden states are needed.
pub(super) fn decoder(
    cfg: &Config,
    w: &Weights,
    ids: &Tensor,
    decoding: &Decoding,
    source: &Source,
    tables: Tables,
    wanted: impl FnOnce(&Tensor) -> Tensor,
) -> Tensor {
    let biased = |layer: &Weights| {
        let table = table(cfg, &layer.pp("SelfAttention.relative_attention_bias"));
        decoding.with_distances(&relative::back(&table, cfg.relative_attention_max_distance, |d| cfg.bucket_back(d)))
    };
    let norm = |w: &Weights, x: &Tensor| rms_norm(w, cfg.layer_norm_epsilon, x);
    let x = embedding(&words(w), ids);
    let w = w.pp("decoder");
    let first = biased(&w.pp("block.0.layer.0"));
    let x = w.layers("block", cfg.num_decoder_layers()).enumerate().fold(x, |x, (i, w)| {
        let (attends, looks, feeds) = (w.pp("layer.0"), w.pp("layer.1"), w.pp("layer.2"));
        let own = if tables == Tables::Each { &biased(&attends) } else { &first };
        let x = &x + cached_self_attention(cfg, &attends.pp("SelfAttention"), &norm(&attends.pp("layer_norm"), &x), own, i);
        let x = &x + look(cfg, &looks.pp("EncDecAttention"), &norm(&looks.pp("layer_norm"), &x), source, i);
        feed_forward(cfg, &feeds, &x)
    });
    norm(&w.pp("final_layer_norm"), &wanted(&x))
}

fn cached_self_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, index: usize) -> Tensor {
    let how = CachedAttention { scale: 1.0, ..CachedAttention::new(cfg.num_heads, cfg.num_heads, cfg.d_kv) };
    let (query, [key, value]) = (linear_no_bias(&w.pp("q"), x), keys_and_values(w, x));
    linear_no_bias(&w.pp("o"), &cached_attention(decoding, index, &how, &query, &key, &value))
}

/// Attention to the encoder's text.
fn look(cfg: &Config, w: &Weights, x: &Tensor, source: &Source, index: usize) -> Tensor {
    // Where the encoder is a graph of its own, that one needs the first two; nothing needs the third, which old checkpoints have.
    ["k", "v", "relative_attention_bias"].iter().for_each(|name| w.skip(name));
    let query = linear_no_bias(&w.pp("q"), x);
    linear_no_bias(&w.pp("o"), &cross_attention(source, index, &cfg.cross(), &query, |hidden| keys_and_values(w, hidden)))
}

pub(super) fn keys_and_values(w: &Weights, x: &Tensor) -> [Tensor; 2] {
    [linear_no_bias(&w.pp("k"), x), linear_no_bias(&w.pp("v"), x)]
}

fn feed_forward(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let act = cfg.dense_act_fn.unwrap_or(cfg.feed_forward_proj.act);
    let normed = rms_norm(&w.pp("layer_norm"), cfg.layer_norm_epsilon, x);
    let w = w.pp("DenseReluDense");
    let h = if cfg.is_gated_act.unwrap_or(cfg.feed_forward_proj.gated) {
        act.of(&linear_no_bias(&w.pp("wi_0"), &normed)) * linear_no_bias(&w.pp("wi_1"), &normed)
    } else {
        act.of(&linear_no_bias(&w.pp("wi"), &normed))
    };
    x + linear_no_bias(&w.pp("wo"), &h)
}
