//! Decoders as Llama is one: layers with norms, attention and a feed-forward part, in the ways of its relatives.

mod config;
mod kind;
mod layers;
mod qk_norm;

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Frequencies, embedding, rotary::Pairs},
};

use super::{
    blocks::{Mlp, Norm, Order},
    heads,
};
use crate::Request;
pub(crate) use config::Config;
pub(crate) use kind::{LayerKind, Mixing};
pub(crate) use layers::Layers;
pub(crate) use qk_norm::QkNorm;

/// What relatives set in their own ways; [`Variant::new`] is Llama's. A field has two users at least: what a single architecture does is
/// written there, in its `mixer` or `mixture`.
pub(crate) struct Variant<'a> {
    /// In what layers differ.
    pub(crate) layers: Vec<LayerKind>,
    /// How hidden states are normalized.
    pub(crate) norm: Norm,
    /// Where the norms of a layer are.
    pub(crate) order: Order,
    /// The name of the last norm.
    pub(crate) last_norm: &'static str,
    /// What layers of [`Mixing::Own`] have in place of attention: from what all have in common, their weights, the normalized hidden states,
    /// and which layer it is.
    pub(crate) mixer: &'a dyn Fn(&Layers, &Weights, &Tensor, usize) -> Tensor,
    /// The feed-forward part of a layer.
    pub(crate) mlp: Mlp,
    /// The scope of the feed-forward part.
    pub(crate) feed_forward: &'static str,
    /// What layers with a mixture have in place of it: from their weights, the normalized hidden states, and which layer it is.
    pub(crate) mixture: &'a dyn Fn(&Weights, &Tensor, usize) -> Tensor,
    /// Whether queries, keys and values have a bias.
    pub(crate) qkv_bias: bool,
    /// The norms of queries and keys.
    pub(crate) qk_norm: Option<QkNorm>,
    /// Queries, keys and values are clipped to so much on both sides of zero.
    pub(crate) clip: Option<f32>,
    /// The angles by which positions turn queries and keys.
    pub(crate) frequencies: Vec<Frequencies>,
    /// Which components turn together.
    pub(crate) pairs: Pairs,
    /// Scores are multiplied with it; `None` for the usual.
    pub(crate) scale: Option<f32>,
    /// Scores become `cap · tanh(scores / cap)`.
    pub(crate) softcap: Option<f32>,
    /// The name of attention's last matrix.
    pub(crate) output: &'static str,
    /// Whether attention's last matrix has a bias.
    pub(crate) output_bias: bool,
    /// Embeddings are multiplied with it.
    pub(crate) embedding_scale: f32,
    /// What each part of a layer adds is multiplied with it.
    pub(crate) residual_scale: f32,
    /// Logits are multiplied with it.
    pub(crate) logit_scale: f32,
    /// Logits become `cap · tanh(logits / cap)`.
    pub(crate) logit_softcap: Option<f32>,
}

impl Variant<'_> {
    /// Llama itself.
    pub(crate) fn new(cfg: &Config) -> Result<Self> {
        Ok(Self {
            layers: cfg.layers(|_| LayerKind::USUAL),
            norm: Norm::Rms(cfg.rms_norm_eps),
            order: Order::BEFORE,
            last_norm: "norm",
            mixer: &|layers, w, x, index| layers.attention(&w.pp("self_attn"), x, index),
            mlp: Mlp::Gated { bias: cfg.mlp_bias },
            feed_forward: "mlp",
            mixture: &|_, x, _| x.clone(),
            qkv_bias: cfg.attention_bias,
            qk_norm: None,
            clip: None,
            frequencies: vec![cfg.frequencies(&cfg.rope)?],
            pairs: Pairs::Halves,
            scale: None,
            softcap: None,
            output: "o_proj",
            output_bias: cfg.attention_bias,
            embedding_scale: 1.0,
            residual_scale: 1.0,
            logit_scale: 1.0,
            logit_softcap: None,
        })
    }
}

/// The graph of a relative.
pub(crate) fn decoder(request: &Request, cfg: &Config, variant: &Variant) -> Result<Vec<Body>> {
    decoder_of(request, cfg, variant, |_, words| words)
}

/// The graph of a relative whose layers read what `embedded` makes of the embeddings, with the weights below the head.
pub(crate) fn decoder_of(
    request: &Request,
    cfg: &Config,
    variant: &Variant,
    embedded: impl FnOnce(&Weights, Tensor) -> Tensor,
) -> Result<Vec<Body>> {
    let (graph, w) = request.graph();
    let (w, base) = scopes(&w);
    let decoding = heads::decoding(request, &graph);
    let layers = Layers::new(cfg, variant, &decoding);

    let words = decoding.embedded(&base.pp("embed_tokens"));
    let words = if decoding.reads_embeddings() { words } else { scaled(words, variant.embedding_scale) };
    let x = embedded(&base, words);
    let scopes_of_layers = base.layers("layers", cfg.num_hidden_layers).take(variant.layers.len());
    let x = scopes_of_layers.enumerate().fold(x, |x, (i, w)| layers.layer(&w, &x, i));
    let norm = |x: &Tensor| variant.norm.of(&base.pp(variant.last_norm), x);
    heads::answer(request, &decoding, &w, &x, norm, |hidden| vocabulary(cfg, variant, &w, &base, hidden));
    // What looks further ahead than the next token serves speculation only, and lies behind the other layers.
    for ahead in 0..cfg.num_nextn_predict_layers.unwrap_or_default().min(MOST_AHEAD) {
        base.skip(&format!("layers.{}.", cfg.num_hidden_layers.saturating_add(ahead)));
    }
    let built = request.finish(graph, &w, &base)?;
    let words = heads::embed_tokens(request, |w, ids| {
        let (_, base) = scopes(w);
        scaled(embedding(&base.pp("embed_tokens"), ids), variant.embedding_scale)
    })?;
    Ok(std::iter::once(built).chain(words).collect())
}

/// The scopes of the head and of what is below it. Where a model sees pictures as well, what is for text has a scope of its own: with the
/// head, or below it.
pub(crate) fn scopes(w: &Weights) -> (Weights, Weights) {
    const TEXT: &str = "language_model";
    let w = w.base(TEXT);
    // Python's classes that answer questions call it as GPT-2's do.
    let base = w.base(if w.pp("transformer").exists() { "transformer" } else { "model" }).base(TEXT);
    (w, base)
}

/// More layers for tokens further ahead than any model has.
const MOST_AHEAD: usize = 64;

/// A score for each word.
fn vocabulary(cfg: &Config, variant: &Variant, w: &Weights, base: &Weights, hidden: &Tensor) -> Tensor {
    let logits = heads::decoder(w, "lm_head", cfg.tie_word_embeddings, &base.pp("embed_tokens"), hidden);
    let logits = scaled(logits, variant.logit_scale);
    variant.logit_softcap.map_or_else(|| logits.clone(), |cap| (&logits / cap).tanh() * cap)
}

fn scaled(x: Tensor, factor: f32) -> Tensor {
    if factor == 1.0 { x } else { x * factor }
}
