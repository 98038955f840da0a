//! MPNet (<https://arxiv.org/abs/2004.09297>): an encoder with learned positions and, for all layers the same, relative ones.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Mask, attention, embedding, layer_norm, linear, relative},
};

use crate::{
    Architecture, Head, Request,
    bert::{self, Config},
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mpnet", Head::ENCODER, build);

/// Transformers goes by these numbers, whatever `pad_token_id` and `relative_attention_num_buckets` say.
const PADDING: i64 = 1;
const BUCKETS: i64 = 32;
const MAX_DISTANCE: i64 = 128;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base("mpnet");
    let text = inputs::Text::new(&graph);

    let x = embeddings(&cfg, &base.pp("embeddings"), &text);
    let hidden = encoder(&cfg, &base.pp("encoder"), x, &text);
    match request.head {
        Head::MaskedLm => {
            let words = base.pp("embeddings.word_embeddings");
            graph.output("logits", &heads::lm_head(&w.pp("lm_head"), cfg.layer_norm_eps, cfg.tie_word_embeddings, &words, &hidden));
        }
        Head::SequenceClassification => heads::classification(&graph, &w.pp("classifier"), Activation::Tanh, &hidden),
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn embeddings(cfg: &Config, w: &Weights, text: &inputs::Text) -> Tensor {
    let words = embedding(&w.pp("word_embeddings"), &text.input_ids);
    let positions = embedding(&w.pp("position_embeddings"), &text.positions_after(PADDING));
    layer_norm(&w.pp("LayerNorm"), cfg.layer_norm_eps, &(words + positions))
}

fn encoder(cfg: &Config, w: &Weights, x: Tensor, text: &inputs::Text) -> Tensor {
    let table = w.any("relative_attention_bias.weight", 2);
    let distances = relative::bias(&table, &text.length(), MAX_DISTANCE, |d| relative::bucket(d, BUCKETS, MAX_DISTANCE));
    let mask = Mask::padding(&text.attention_mask).with_bias(&distances);
    w.layers("layer", cfg.num_hidden_layers).fold(x, |x, w| layer(cfg, &w, x, &mask))
}

fn layer(cfg: &Config, w: &Weights, x: Tensor, mask: &Mask) -> Tensor {
    let a = self_attention(cfg, &w.pp("attention.attn"), &x, mask);
    let x = layer_norm(&w.pp("attention.LayerNorm"), cfg.layer_norm_eps, &(a + x));
    bert::feed_forward(cfg, w, &x)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, mask: &Mask) -> Tensor {
    let (query, key, value) = (linear(&w.pp("q"), x), linear(&w.pp("k"), x), linear(&w.pp("v"), x));
    let scale = attention::scale(cfg.hidden_size / cfg.num_attention_heads.max(1));
    linear(&w.pp("o"), &attention(&query, &key, &value, cfg.num_attention_heads, scale, mask))
}
