//! SqueezeBERT (<https://arxiv.org/abs/2006.11316>): BERT with grouped convolutions of width one in the place of linear layers.

use formers_converters::{
    Result, Weights,
    graph::{Body, Conv, Tensor},
    layers::{Mask, attention, layer_norm},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, bert,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("squeezebert", Head::ENCODER, build);

#[derive(Deserialize)]
#[serde(default)]
struct Groups {
    q_groups: usize,
    k_groups: usize,
    v_groups: usize,
    post_attention_groups: usize,
    intermediate_groups: usize,
    output_groups: usize,
}

impl Default for Groups {
    fn default() -> Self {
        Self { q_groups: 4, k_groups: 4, v_groups: 4, post_attention_groups: 1, intermediate_groups: 4, output_groups: 4 }
    }
}

/// The norms of the layers have their own epsilon, whatever `layer_norm_eps` says.
const EPSILON: f32 = 1e-12;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: bert::Config = request.config()?;
    let groups: Groups = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    let text = inputs::Text::with_token_types(&graph);
    let mask = Mask::padding(&text.attention_mask);

    let x = bert::embeddings(cfg.layer_norm_eps, &base.pp("embeddings"), &text);
    let hidden = base.layers("encoder.layers", cfg.num_hidden_layers).fold(x, |x, w| layer(&cfg, &groups, &w, x, &mask));
    match request.head {
        Head::MaskedLm => graph.output("logits", &bert::masked_lm(&cfg, &w.pp("cls.predictions"), &base, &hidden)),
        Head::SequenceClassification => {
            heads::logits(&graph, &w.pp("classifier"), &heads::tanh_pooler(&base.pp("pooler.dense"), &hidden));
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

fn layer(cfg: &bert::Config, groups: &Groups, w: &Weights, x: Tensor, mask: &Mask) -> Tensor {
    let a = self_attention(cfg, groups, &w.pp("attention"), &x, mask);
    let a = grouped(&w.pp("post_attention.conv1d"), groups.post_attention_groups, &a);
    let x = layer_norm(&w.pp("post_attention.layernorm"), EPSILON, &(a + x));
    let h = cfg.hidden_act.of(&grouped(&w.pp("intermediate.conv1d"), groups.intermediate_groups, &x));
    layer_norm(&w.pp("output.layernorm"), EPSILON, &(grouped(&w.pp("output.conv1d"), groups.output_groups, &h) + x))
}

fn self_attention(cfg: &bert::Config, groups: &Groups, w: &Weights, x: &Tensor, mask: &Mask) -> Tensor {
    let query = grouped(&w.pp("query"), groups.q_groups, x);
    let key = grouped(&w.pp("key"), groups.k_groups, x);
    let value = grouped(&w.pp("value"), groups.v_groups, x);
    let scale = attention::scale(cfg.hidden_size / cfg.num_attention_heads.max(1));
    attention(&query, &key, &value, cfg.num_attention_heads, scale, mask)
}

/// A convolution of width one over `x`, `(batch, sequence, channels)`: with a single group, a linear layer.
fn grouped(w: &Weights, groups: usize, x: &Tensor) -> Tensor {
    let weight = w.any("weight", 3);
    let bias = w.get("bias", &[weight.fixed(0)]);
    if groups == 1 {
        return x.matmul_transposed(&weight.squeeze(&[2]), 1.0) + bias;
    }
    x.transpose(&[0, 2, 1]).conv(&weight, Some(&bias), &Conv::new(1).groups(groups)).transpose(&[0, 2, 1])
}
