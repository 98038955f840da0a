//! RoFormer (<https://arxiv.org/abs/2104.09864>): BERT with rotary positions in place of learned ones.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Mask, RopeConfig, Rotary, attention, embedding, layer_norm, linear, rotary::Pairs},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, bert,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("roformer", Head::ENCODER, build);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    /// Whether values turn as well.
    rotary_value: bool,
}

fn build(request: &Request) -> Result<Vec<Body>> {
    request.encoder_only()?;
    let (bert, cfg): (bert::Config, Config) = (request.config()?, request.config()?);
    let (graph, w) = request.graph();
    let base = w.base("roformer");
    let text = inputs::Text::with_token_types(&graph);

    let rotary = rotary(&bert, &base.pp("encoder.embed_positions"), &text)?;
    let mask = Mask::padding(&text.attention_mask);
    let x = embeddings(&bert, &base, &text);
    let hidden = base.layers("encoder.layer", bert.num_hidden_layers).fold(x, |x, w| {
        let a = self_attention(&bert, &cfg, &w.pp("attention.self"), &x, &rotary, &mask);
        let x = layer_norm(&w.pp("attention.output.LayerNorm"), bert.layer_norm_eps, &(linear(&w.pp("attention.output.dense"), &a) + x));
        bert::feed_forward(&bert, &w, &x)
    });
    match request.head {
        Head::MaskedLm => graph.output("logits", &bert::masked_lm(&bert, &w.pp("cls.predictions"), &base, &hidden)),
        Head::SequenceClassification => heads::classification(&graph, &w.pp("classifier"), bert.hidden_act, &hidden),
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// The table that the checkpoint stores, sines before cosines, or else the one that it would store.
fn rotary(bert: &bert::Config, stored: &Weights, text: &inputs::Text) -> Result<Rotary> {
    if stored.has("weight") {
        let table = text.positions(stored);
        let (width, half) = (table.fixed(1) as i64, table.fixed(1).div_ceil(2) as i64);
        return Ok(Rotary::stored(&table.slice(1, half, width), &table.slice(1, 0, half), Pairs::Neighbours));
    }
    let size = bert.hidden_size / bert.num_attention_heads.max(1);
    let frequencies = RopeConfig::default().frequencies(size, 10_000.0, 0)?;
    Ok(Rotary::for_length(&frequencies, &text.length(), Pairs::Neighbours))
}

fn embeddings(bert: &bert::Config, base: &Weights, text: &inputs::Text) -> Tensor {
    let w = base.pp("embeddings");
    let words = embedding(&w.pp("word_embeddings"), &text.input_ids);
    let types = embedding(&w.pp("token_type_embeddings"), &text.token_types());
    let x = layer_norm(&w.pp("LayerNorm"), bert.layer_norm_eps, &(words + types));
    let project = base.pp("embeddings_project");
    if project.exists() { linear(&project, &x) } else { x }
}

fn self_attention(bert: &bert::Config, cfg: &Config, w: &Weights, x: &Tensor, rotary: &Rotary, mask: &Mask) -> Tensor {
    let heads = bert.num_attention_heads;
    let project = |name: &str| linear(&w.pp(name), x);
    let (query, key, value) = (rotary.of(&project("query"), heads), rotary.of(&project("key"), heads), project("value"));
    let value = if cfg.rotary_value { rotary.of(&value, heads) } else { value };
    attention(&query, &key, &value, heads, attention::scale(bert.hidden_size / heads.max(1)), mask)
}
