//! Nomic BERT (<https://arxiv.org/abs/2402.01613>): BERT with rotary positions, gated feed-forward layers and no biases.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Mask, RopeConfig, Rotary, attention, embedding, layer_norm, linear, linear_no_bias, rotary::Pairs},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("nomic_bert", &[Head::Base, Head::MaskedLm, Head::SequenceClassification, Head::TokenClassification], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    head_dim: Option<usize>,
    hidden_act: Activation,
    layer_norm_eps: f32,
    max_position_embeddings: usize,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            head_dim: None,
            hidden_act: Activation::Silu,
            layer_norm_eps: 1e-12,
            max_position_embeddings: 2048,
            tie_word_embeddings: true,
        }
    }
}

/// The keys of repositories older than the model's place in Transformers, which may stand beside the new ones.
#[derive(Deserialize, Default)]
#[serde(default)]
struct OldConfig {
    n_layer: Option<usize>,
    n_head: Option<usize>,
    n_embd: Option<usize>,
    layer_norm_epsilon: Option<f32>,
    activation_function: Option<String>,
    rotary_emb_base: Option<f64>,
    rotary_emb_fraction: Option<f64>,
    rotary_emb_interleaved: bool,
    prenorm: bool,
    use_rms_norm: bool,
    parallel_block: bool,
}

impl OldConfig {
    fn apply(&self, has: impl Fn(&str) -> bool, cfg: &mut Config) -> Result<()> {
        let others = [
            ("prenorm", self.prenorm),
            ("use_rms_norm", self.use_rms_norm),
            ("parallel_block", self.parallel_block),
            ("rotary_emb_interleaved", self.rotary_emb_interleaved),
            ("rotary_emb_fraction", self.rotary_emb_fraction.is_some_and(|f| f != 1.0)),
        ];
        if let Some((name, _)) = others.iter().find(|(_, on)| *on) {
            return Err(Error::unsupported(format!("config.json: {name} makes this another model than nomic_bert of Transformers")));
        }
        if !has("num_hidden_layers") {
            cfg.num_hidden_layers = self.n_layer.unwrap_or(cfg.num_hidden_layers);
        }
        if !has("num_attention_heads") {
            cfg.num_attention_heads = self.n_head.unwrap_or(cfg.num_attention_heads);
        }
        if !has("hidden_size") {
            cfg.hidden_size = self.n_embd.unwrap_or(cfg.hidden_size);
        }
        if !has("layer_norm_eps") {
            cfg.layer_norm_eps = self.layer_norm_epsilon.unwrap_or(cfg.layer_norm_eps);
        }
        if !has("hidden_act") {
            cfg.hidden_act = match self.activation_function.as_deref() {
                None | Some("swiglu") => cfg.hidden_act,
                Some("geglu") => Activation::Gelu,
                Some("glu") => Activation::Sigmoid,
                Some(other) => return Err(Error::unsupported(format!("config.json: activation_function {other:?} is not gated"))),
            };
        }
        Ok(())
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (mut cfg, old, rope): (Config, OldConfig, RopeConfig) = (request.config()?, request.config()?, request.config()?);
    old.apply(|key| request.config.get(key).is_some(), &mut cfg)?;
    let (graph, w) = request.graph();
    let base = w.base("nomic_bert").base("bert");
    let text = inputs::Text::with_token_types(&graph);

    let size = cfg.head_dim.unwrap_or(cfg.hidden_size / cfg.num_attention_heads.max(1));
    let frequencies = rope.frequencies(size, old.rotary_emb_base.unwrap_or(1000.0), cfg.max_position_embeddings)?;
    let rotary = Rotary::for_length(&frequencies, &text.length(), Pairs::Halves);
    let mask = Mask::padding(&text.attention_mask);

    let words = embedding(&base.pp("embeddings.word_embeddings"), &text.input_ids);
    let types = embedding(&base.pp("embeddings.token_type_embeddings"), &text.token_types());
    let x = layer_norm(&renamed(&base, "embeddings.LayerNorm", "emb_ln"), cfg.layer_norm_eps, &(words + types));
    let layers = if base.pp("encoder").exists() { "encoder.layers" } else { "layers" };
    let hidden = base.layers(layers, cfg.num_hidden_layers).fold(x, |x, w| layer(&cfg, &w, &x, &rotary, &mask));
    match request.head {
        Head::MaskedLm => {
            let w = w.pp("cls.predictions");
            let h = cfg.hidden_act.of(&linear(&w.pp("transform.dense"), &hidden));
            let h = layer_norm(&w.pp("transform.layer_norm"), cfg.layer_norm_eps, &h);
            graph.output("logits", &heads::decoder(&w, "decoder", cfg.tie_word_embeddings, &base.pp("embeddings.word_embeddings"), &h));
        }
        Head::SequenceClassification => {
            let pooled = heads::tanh_pooler(&base.pp("pooler.dense"), &hidden);
            heads::logits(&graph, &w.pp("classifier"), &pooled);
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// A scope that older repositories call by another name.
fn renamed(w: &Weights, name: &str, old: &str) -> Weights {
    let scope = w.pp(old);
    if scope.exists() { scope } else { w.pp(name) }
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, rotary: &Rotary, mask: &Mask) -> Tensor {
    let a = self_attention(cfg, w, x, rotary, mask);
    let x = layer_norm(&renamed(w, "post_attention_layernorm", "norm1"), cfg.layer_norm_eps, &(x + a));
    let project = |name: &str, old: &str, x: &Tensor| linear_no_bias(&renamed(&w.pp("mlp"), name, old), x);
    let gated = cfg.hidden_act.of(&project("gate_proj", "fc12", &x)) * project("up_proj", "fc11", &x);
    let h = project("down_proj", "fc2", &gated);
    layer_norm(&renamed(w, "post_mlp_layernorm", "norm2"), cfg.layer_norm_eps, &(x + h))
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, rotary: &Rotary, mask: &Mask) -> Tensor {
    let (heads, own) = (cfg.num_attention_heads, w.pp("self_attn"));
    let qkv = if w.has("attn.Wqkv.weight") {
        linear_no_bias(&w.pp("attn.Wqkv"), x).chunk(-1, 3)
    } else {
        ["q_proj", "k_proj", "v_proj"].iter().map(|name| linear_no_bias(&own.pp(name), x)).collect()
    };
    let [query, key, value] = qkv.as_slice() else { return x.clone() };
    let scale = attention::scale(query.fixed(-1) / heads.max(1));
    let a = attention(&rotary.of(query, heads), &rotary.of(key, heads), value, heads, scale, mask);
    linear_no_bias(&renamed(w, "self_attn.o_proj", "attn.out_proj"), &a)
}
