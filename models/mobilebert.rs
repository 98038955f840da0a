//! MobileBERT (<https://arxiv.org/abs/2004.02984>): a deep and thin BERT, whose layers work in a bottleneck.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Mask, attention, embedding, layer_norm, linear},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mobilebert", Head::ENCODER, build).sees_padding();

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    embedding_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: Activation,
    layer_norm_eps: f32,
    trigram_input: bool,
    use_bottleneck: bool,
    intra_bottleneck_size: usize,
    use_bottleneck_attention: bool,
    key_query_shared_bottleneck: bool,
    num_feedforward_networks: usize,
    normalization_type: Normalization,
    classifier_activation: bool,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            embedding_size: 128,
            hidden_size: 512,
            num_hidden_layers: 24,
            num_attention_heads: 4,
            hidden_act: Activation::Relu,
            layer_norm_eps: 1e-12,
            trigram_input: true,
            use_bottleneck: true,
            intra_bottleneck_size: 128,
            use_bottleneck_attention: false,
            key_query_shared_bottleneck: true,
            num_feedforward_networks: 4,
            normalization_type: Normalization::NoNorm,
            classifier_activation: true,
            tie_word_embeddings: true,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Normalization {
    LayerNorm,
    /// `x w + b`
    NoNorm,
}

/// The epsilon of layer norms that `layer_norm_eps` does not reach.
const USUAL_EPSILON: f32 = 1e-5;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph();
    let base = w.base("mobilebert");
    let text = inputs::Text::with_token_types(&graph);
    let mask = Mask::padding(&text.attention_mask);

    let x = cfg.embeddings(&base.pp("embeddings"), &text);
    let hidden = base.layers("encoder.layer", cfg.num_hidden_layers).fold(x, |x, w| cfg.layer(&w, x, &mask));
    match request.head {
        Head::MaskedLm => graph.output("logits", &cfg.masked_lm(&w.pp("cls.predictions"), &base, &hidden)),
        Head::SequenceClassification => {
            let pooler = base.pp("pooler.dense");
            let pooled = if cfg.classifier_activation { heads::tanh_pooler(&pooler, &hidden) } else { heads::first_token(&hidden) };
            heads::logits(&graph, &w.pp("classifier"), &pooled);
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

impl Config {
    fn norm(&self, w: &Weights, epsilon: f32, x: &Tensor) -> Tensor {
        match self.normalization_type {
            Normalization::LayerNorm => layer_norm(w, epsilon, x),
            Normalization::NoNorm => x * w.get("weight", &[x.fixed(-1)]) + w.get("bias", &[x.fixed(-1)]),
        }
    }

    /// `norm(dense(x) + residual)`
    fn add_norm(&self, w: &Weights, x: &Tensor, residual: &Tensor) -> Tensor {
        self.norm(&w.pp("LayerNorm"), self.layer_norm_eps, &(linear(&w.pp("dense"), x) + residual))
    }

    fn embeddings(&self, w: &Weights, text: &inputs::Text) -> Tensor {
        let mut words = embedding(&w.pp("word_embeddings"), &text.input_ids);
        if self.trigram_input {
            // Each word with the next and the one before.
            let shifted = |by: i64| words.pad(&[(0, 0), (by, -by), (0, 0)], 0.0);
            words = w.graph().concat(&[&shifted(-1), &words, &shifted(1)], -1);
        }
        if self.trigram_input || self.embedding_size != self.hidden_size {
            words = linear(&w.pp("embedding_transformation"), &words);
        } else {
            w.skip("embedding_transformation");
        }
        let types = embedding(&w.pp("token_type_embeddings"), &text.token_types());
        self.norm(&w.pp("LayerNorm"), USUAL_EPSILON, &(words + text.positions(&w.pp("position_embeddings")) + types))
    }

    fn layer(&self, w: &Weights, x: Tensor, mask: &Mask) -> Tensor {
        let (query, value, narrow) = self.bottleneck(&w.pp("bottleneck"), &x);
        let a = self.self_attention(&w.pp("attention.self"), &query, &value, mask);
        let a = self.add_norm(&w.pp("attention.output"), &a, &narrow);
        let a = w.layers("ffn", self.num_feedforward_networks.saturating_sub(1)).fold(a, |a, w| {
            let h = self.hidden_act.of(&linear(&w.pp("intermediate.dense"), &a));
            self.add_norm(&w.pp("output"), &h, &a)
        });
        let h = self.hidden_act.of(&linear(&w.pp("intermediate.dense"), &a));
        let h = linear(&w.pp("output.dense"), &h) + a;
        let h = self.norm(&w.pp("output.LayerNorm"), USUAL_EPSILON, &h);
        if self.use_bottleneck { self.add_norm(&w.pp("output.bottleneck"), &h, &x) } else { h }
    }

    /// What queries and keys, values, and the residual sum are made from.
    fn bottleneck(&self, w: &Weights, x: &Tensor) -> (Tensor, Tensor, Tensor) {
        if !self.use_bottleneck {
            return (x.clone(), x.clone(), x.clone());
        }
        let narrowed = |w: &Weights| self.norm(&w.pp("LayerNorm"), self.layer_norm_eps, &linear(&w.pp("dense"), x));
        let input = narrowed(&w.pp("input"));
        if self.use_bottleneck_attention {
            w.skip("attention.");
            (input.clone(), input.clone(), input)
        } else if self.key_query_shared_bottleneck {
            (narrowed(&w.pp("attention")), x.clone(), input)
        } else {
            (x.clone(), x.clone(), input)
        }
    }

    fn self_attention(&self, w: &Weights, x: &Tensor, value: &Tensor, mask: &Mask) -> Tensor {
        let (query, key, value) = (linear(&w.pp("query"), x), linear(&w.pp("key"), x), linear(&w.pp("value"), value));
        let width = if self.use_bottleneck { self.intra_bottleneck_size } else { self.hidden_size };
        let scale = attention::scale(width / self.num_attention_heads.max(1));
        attention(&query, &key, &value, self.num_attention_heads, scale, mask)
    }

    /// The embeddings are narrower than the hidden states: what they lack of the decoder's columns is `dense`.
    fn masked_lm(&self, w: &Weights, base: &Weights, hidden: &Tensor) -> Tensor {
        let h = heads::transform(&w.pp("transform"), self.hidden_act, self.layer_norm_eps, hidden);
        let words = base.pp("embeddings.word_embeddings");
        if self.embedding_size >= self.hidden_size {
            return heads::decoder(w, "decoder", self.tie_word_embeddings, &words, &h);
        }
        let parts = h.split(-1, &[self.embedding_size, self.hidden_size - self.embedding_size]);
        let (Some(first), Some(rest)) = (parts.first(), parts.get(1)) else { return h };
        heads::decoder(w, "decoder", self.tie_word_embeddings, &words, first) + rest.matmul(&w.any("dense.weight", 2))
    }
}
