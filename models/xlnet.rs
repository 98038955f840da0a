//! XLNet (<https://arxiv.org/abs/1906.08237>): attention to what tokens are, to how far away they are, and to whether they are in the same segment.

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Graph, Tensor},
    layers::{Activation, Mask, attention, embedding, layer_norm, linear, relative},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("xlnet", &[Head::Base, Head::SequenceClassification, Head::TokenClassification, Head::QuestionAnswering], build)
        .own_heads(&["logits_proj"])
        .sees_padding();

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    d_model: usize,
    n_layer: usize,
    n_head: usize,
    ff_activation: Activation,
    attn_type: AttentionType,
    bi_data: bool,
    clamp_len: i64,
    same_length: bool,
    layer_norm_eps: f32,
    summary_type: SummaryType,
    summary_use_proj: bool,
    summary_activation: Option<Activation>,
}

/// Whether tokens see both sides, or only what is before them.
#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum AttentionType {
    Bi,
    Uni,
}

/// Which hidden state stands for the sequence.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum SummaryType {
    #[serde(alias = "cls_index")]
    Last,
    First,
    Mean,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            d_model: 1024,
            n_layer: 24,
            n_head: 16,
            ff_activation: Activation::Gelu,
            attn_type: AttentionType::Bi,
            bi_data: false,
            clamp_len: -1,
            same_length: false,
            layer_norm_eps: 1e-12,
            summary_type: SummaryType::Last,
            summary_use_proj: true,
            summary_activation: Some(Activation::Tanh),
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    if cfg.bi_data {
        return Err(Error::unsupported("config.json: bi_data, which reads half of each batch backwards, is for pretraining only"));
    }
    let (graph, w) = request.graph();
    let base = w.base("transformer");
    base.skip("mask_emb");
    let text = inputs::Text::with_token_types(&graph);

    let shared = Shared::new(&cfg, &graph, &text);
    let x = embedding(&base.pp("word_embedding"), &text.input_ids);
    let hidden = base.layers("layer", cfg.n_layer).fold(x, |x, w| layer(&cfg, &w, &x, &shared));
    match request.head {
        Head::SequenceClassification => {
            let summary = match cfg.summary_type {
                SummaryType::Last => hidden.select_index(1, -1),
                SummaryType::First => heads::first_token(&hidden),
                SummaryType::Mean => hidden.mean(&[1], false),
            };
            let summary = if cfg.summary_use_proj { linear(&w.pp("sequence_summary.summary"), &summary) } else { summary };
            heads::logits(&graph, &w.pp("logits_proj"), &cfg.summary_activation.map_or(summary.clone(), |act| act.of(&summary)));
        }
        _ => heads::usual(request, &graph, &w, &hidden, &text.attention_mask)?,
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// What all layers look at beside the tokens.
struct Shared {
    length: Tensor,
    /// A sinusoid for each distance of a query from a key, `(2 length, d_model)`.
    distances: Tensor,
    /// 1 where two tokens are in different segments, `(batch, 1, length, length)`.
    apart: Tensor,
    mask: Mask,
}

impl Shared {
    fn new(cfg: &Config, graph: &Graph, text: &inputs::Text) -> Self {
        let types = text.token_types();
        let apart = types.unsqueeze(&[1, 3]).equal(&types.unsqueeze(&[1, 2])).not().cast(graph.float());
        Self { length: text.length(), distances: distances(cfg, graph, &text.length()), apart, mask: mask(cfg, graph, text) }
    }
}

/// Sines, then cosines.
fn distances(cfg: &Config, graph: &Graph, length: &Tensor) -> Tensor {
    let mut distances = relative::falling(length).cast(Dtype::F32);
    if cfg.clamp_len > 0 {
        distances = distances.clip(-cfg.clamp_len as f32, cfg.clamp_len as f32);
    }
    let pairs = distances.scalar(2.0 / cfg.d_model as f32);
    let exponents = graph.range(&graph.ints(&[1], &[cfg.d_model.div_ceil(2) as i64])).cast(Dtype::F32) * pairs;
    let angles = distances.unsqueeze(&[1]) * (exponents * -10_000f32.ln()).exp();
    graph.concat(&[&angles.sin(), &angles.cos()], 1).cast(graph.float())
}

/// No padding, and with `uni` nothing that comes later (or with `same_length` nothing at all); but always the token itself.
fn mask(cfg: &Config, graph: &Graph, text: &inputs::Text) -> Mask {
    let places = graph.range(&text.length());
    let (queries, keys) = (places.unsqueeze(&[1]), places.unsqueeze(&[0]));
    let mut seen = text.attention_mask.cast(Dtype::Bool).unsqueeze(&[1, 2]);
    if cfg.attn_type == AttentionType::Uni {
        let before = if cfg.same_length { keys.equal(&queries) } else { keys.less_or_equal(&queries) };
        seen = seen.and(&before);
    }
    let seen = seen.or(&keys.equal(&queries));
    Mask::none().with_bias(&seen.select(&graph.floats(&[], &[0.0]), &graph.floats(&[], &[-1e30])))
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor, shared: &Shared) -> Tensor {
    let norm = |w: &Weights, x: Tensor| layer_norm(&w.pp("layer_norm"), cfg.layer_norm_eps, &x);
    let (attend, feed) = (w.pp("rel_attn"), w.pp("ff"));
    let x = norm(&attend, x + self_attention(cfg, &attend, x, shared));
    let h = cfg.ff_activation.of(&linear(&feed.pp("layer_1"), &x));
    norm(&feed, linear(&feed.pp("layer_2"), &h) + x)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, shared: &Shared) -> Tensor {
    let heads = cfg.n_head;
    // These weights lie as [in, heads, size].
    let project = |name: &str, x: &Tensor| x.matmul(&w.merged(name, 1..3));
    let (query, key, value) = (project("q", x), project("k", x), project("v", x));
    let scale = attention::scale(key.fixed(-1) / heads.max(1));
    let biased = |name: &str| &query + w.merged(name, 0..2);
    let split = |x: &Tensor| attention::split_heads(x, heads);

    let far = project("r", &shared.distances);
    let far = far.reshape(&[0i64.into(), heads.into(), (-1i64).into()]).transpose(&[1, 0, 2]);
    let by_distance = relative::skew(&split(&biased("r_r_bias")).matmul_transposed(&far, scale), &shared.length);
    // What the same segment adds, it adds for every key, but for those of another segment; only the difference matters to the softmax.
    let segments = w.any("seg_embed", 3);
    let other = (segments.slice(0, 1, 2) - segments.slice(0, 0, 1)).reshape(&[heads.into(), 1i64.into(), (-1i64).into()]);
    let by_segment = split(&biased("r_s_bias")).matmul_transposed(&other, scale) * &shared.apart;

    let mask = shared.mask.with_bias(&(by_distance + by_segment));
    attention(&biased("r_w_bias"), &key, &value, heads, scale, &mask).matmul_transposed(&w.merged("o", 1..3), 1.0)
}
