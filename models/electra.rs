//! ELECTRA (<https://arxiv.org/abs/2003.10555>): BERT's encoder on embeddings that may be narrower than the hidden states.

use formers_converters::{
    Result,
    graph::Body,
    layers::{Activation, Mask, linear},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, bert,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("electra", Head::ENCODER, build).own_heads(&["generator_predictions", "discriminator_predictions"]);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    embedding_size: usize,
    hidden_size: usize,
    num_attention_heads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { embedding_size: 128, hidden_size: 256, num_attention_heads: 4 }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    request.encoder_only()?;
    let Config { embedding_size, hidden_size, num_attention_heads } = request.config()?;
    let cfg = bert::Config { hidden_size, num_attention_heads, ..request.config()? };
    let (graph, w) = request.graph();
    let base = w.base("electra");
    let text = inputs::Text::with_token_types(&graph);

    let x = bert::embeddings(cfg.layer_norm_eps, &base.pp("embeddings"), &text);
    let x = if embedding_size == hidden_size { x } else { linear(&base.pp("embeddings_project"), &x) };
    let hidden = bert::encoder(&cfg, &base.pp("encoder"), x, &Mask::padding(&text.attention_mask));
    match request.head {
        Head::MaskedLm => {
            let h = heads::transform(&w.pp("generator_predictions"), Activation::Gelu, cfg.layer_norm_eps, &hidden);
            let words = base.pp("embeddings.word_embeddings");
            graph.output("logits", &heads::decoder(&w, "generator_lm_head", cfg.tie_word_embeddings, &words, &h));
        }
        Head::SequenceClassification => heads::classification(&graph, &w.pp("classifier"), Activation::Gelu, &hidden),
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}
