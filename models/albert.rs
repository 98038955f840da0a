//! ALBERT (<https://arxiv.org/abs/1909.11942>): narrow embeddings, and layers that share their weights within a group.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Mask, layer_norm, linear},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, bert,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("albert", Head::ENCODER, build).own_heads(&["predictions"]);

/// More layers than anybody shares weights among: what goes beyond is a damaged config.
const MAX_LAYERS: usize = 1024;

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_hidden_groups: usize,
    inner_group_num: usize,
    num_attention_heads: usize,
    hidden_act: Activation,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 4096,
            num_hidden_layers: 12,
            num_hidden_groups: 1,
            inner_group_num: 1,
            num_attention_heads: 64,
            hidden_act: Activation::GeluTanh,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let own: Config = request.config()?;
    let Config { hidden_size, num_attention_heads, hidden_act, .. } = own;
    let cfg = bert::Config { hidden_size, num_attention_heads, hidden_act, ..request.config()? };
    let (graph, w) = request.graph();
    let base = w.base("albert");
    let text = inputs::Text::with_token_types(&graph);

    let x = bert::embeddings(cfg.layer_norm_eps, &base.pp("embeddings"), &text);
    let hidden = own.encoder(&cfg, &base.pp("encoder"), x, &Mask::padding(&text.attention_mask))?;
    match request.head {
        Head::MaskedLm => {
            let predictions = w.pp("predictions");
            let h = heads::transform(&predictions, cfg.hidden_act, cfg.layer_norm_eps, &hidden);
            let words = base.pp("embeddings.word_embeddings");
            graph.output("logits", &heads::decoder(&predictions, "decoder", cfg.tie_word_embeddings, &words, &h));
        }
        Head::SequenceClassification => {
            heads::logits(&graph, &w.pp("classifier"), &heads::tanh_pooler(&base.pp("pooler"), &hidden));
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

impl Config {
    fn encoder(&self, cfg: &bert::Config, w: &Weights, x: Tensor, mask: &Mask) -> Result<Tensor> {
        let (layers, groups) = (self.num_hidden_layers, self.num_hidden_groups);
        if layers > MAX_LAYERS || groups == 0 {
            return Err(Error::config(format!(
                "config.json: num_hidden_layers is {layers} and num_hidden_groups {groups}; at most {MAX_LAYERS} and at least 1 can be"
            )));
        }
        if groups > layers {
            // Some groups have no layer.
            w.skip("albert_layer_groups");
        }
        let x = linear(&w.pp("embedding_hidden_mapping_in"), &x);
        Ok((0..layers).fold(x, |x, i| {
            let group = (i as f64 / (layers as f64 / groups as f64)) as usize;
            w.pp("albert_layer_groups").pp(group).layers("albert_layers", self.inner_group_num).fold(x, |x, w| layer(cfg, &w, x, mask))
        }))
    }
}

fn layer(cfg: &bert::Config, w: &Weights, x: Tensor, mask: &Mask) -> Tensor {
    let a = bert::self_attention(cfg, &w.pp("attention"), &x, mask);
    let x = layer_norm(&w.pp("attention.LayerNorm"), cfg.layer_norm_eps, &(linear(&w.pp("attention.dense"), &a) + x));
    let h = cfg.hidden_act.of(&linear(&w.pp("ffn"), &x));
    layer_norm(&w.pp("full_layer_layer_norm"), cfg.layer_norm_eps, &(linear(&w.pp("ffn_output"), &h) + x))
}
