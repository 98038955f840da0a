//! XLM-RoBERTa-XL (<https://arxiv.org/abs/2105.00572>): RoBERTa with norms before each block, and one after the last.

use formers_converters::{
    Result,
    graph::Body,
    layers::{Activation, Mask, layer_norm},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, bert, parts::heads, roberta};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("xlm-roberta-xl", roberta::ARCHITECTURE.heads, build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    type_vocab_size: usize,
    layer_norm_eps: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { hidden_size: 2560, num_hidden_layers: 36, num_attention_heads: 32, type_vocab_size: 1, layer_norm_eps: 1e-5 }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    request.encoder_only()?;
    let Config { hidden_size, num_hidden_layers, num_attention_heads, type_vocab_size, layer_norm_eps } = request.config()?;
    let cfg = bert::Config { hidden_size, num_hidden_layers, num_attention_heads, layer_norm_eps, ..request.config()? };
    let own = roberta::Config { type_vocab_size, ..request.config()? };
    let (graph, w) = request.graph();
    let base = w.base("roberta");
    let text = own.inputs(&graph);
    let mask = Mask::padding(&text.attention_mask);

    let x = own.embeddings(&base.pp("embeddings"), &text);
    let x = bert::norm_first(&cfg, &base.pp("encoder"), ["attention.self_attn_layer_norm", "LayerNorm"], x, &mask);
    let hidden = layer_norm(&base.pp("encoder.LayerNorm"), layer_norm_eps, &x);
    match request.head {
        Head::MaskedLm => {
            let words = base.pp("embeddings.word_embeddings");
            graph.output("logits", &heads::lm_head(&w.pp("lm_head"), layer_norm_eps, cfg.tie_word_embeddings, &words, &hidden));
        }
        Head::SequenceClassification => heads::classification(&graph, &w.pp("classifier"), Activation::Tanh, &hidden),
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}
