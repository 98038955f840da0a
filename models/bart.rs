//! BART (<https://arxiv.org/abs/1910.13461>): an encoder and a decoder that looks at it, with learned positions and norms behind each
//! part. Its relatives put their norms and positions elsewhere.

mod variant;

use formers_converters::{
    Dtype, Result, Weights,
    graph::{Body, Graph, Tensor},
    layers::{
        Activation, CachedAttention, CrossAttention, Decoding, Mask, Source, attention, cached_attention, cross, cross_attention,
        embedding, layer_norm, linear,
    },
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Moved, Request,
    parts::{heads, inputs},
};
pub(crate) use variant::{EmbeddingNorm, Names, VARIANT, Variant, learned, sines};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture::new("bart", &[Head::Base, Head::SequenceClassification, Head::QuestionAnswering, Head::Seq2SeqLm], build)
        .generation(&[
            ("pad_token_id", 1),
            ("bos_token_id", 0),
            ("eos_token_id", 2),
            ("decoder_start_token_id", 2),
            ("forced_eos_token_id", 2),
        ])
        .moves_what_it_reads(Moved::BehindStart);

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) d_model: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) encoder_layers: usize,
    pub(crate) encoder_attention_heads: usize,
    pub(crate) decoder_layers: usize,
    pub(crate) decoder_attention_heads: usize,
    pub(crate) activation_function: Activation,
    pub(crate) scale_embedding: bool,
    pub(crate) tie_word_embeddings: bool,
    pub(crate) pad_token_id: Option<i64>,
    pub(crate) eos_token_id: Option<i64>,
    pub(crate) decoder_start_token_id: Option<i64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            d_model: 1024,
            max_position_embeddings: 1024,
            encoder_layers: 12,
            encoder_attention_heads: 16,
            decoder_layers: 12,
            decoder_attention_heads: 16,
            activation_function: Activation::Gelu,
            scale_embedding: false,
            tie_word_embeddings: true,
            pad_token_id: Some(1),
            eos_token_id: Some(2),
            decoder_start_token_id: Some(2),
        }
    }
}

/// Other names that `config.json` may have.
pub(crate) const USUAL_NAMES: &[(&str, &str)] = &[("num_attention_heads", "encoder_attention_heads"), ("hidden_size", "d_model")];

fn build(request: &Request) -> Result<Vec<Body>> {
    graphs(request, &request.config_mapped(USUAL_NAMES)?, &VARIANT)
}

/// The graphs of a relative.
pub(crate) fn graphs(request: &Request, cfg: &Config, variant: &Variant) -> Result<Vec<Body>> {
    match request.head {
        Head::Seq2SeqLm => Ok(vec![encoder_graph(request, cfg, variant)?, decoder_graph(request, cfg, variant)?]),
        _ => Ok(vec![whole_graph(request, cfg, variant)?]),
    }
}

/// Reads a text once: its hidden states, and what every layer of the decoder will look at.
fn encoder_graph(request: &Request, cfg: &Config, variant: &Variant) -> Result<Body> {
    let (graph, w) = request.graph_of("encoder_model");
    let base = w.base(variant.base);
    let text = inputs::Text::new(&graph);
    let hidden = encoder(cfg, variant, &base, &text.input_ids, &text.attention_mask);
    graph.output("last_hidden_state", &hidden);
    for (i, w) in base.pp("decoder").layers("layers", cfg.decoder_layers).enumerate() {
        cross::keep(&graph, i, &cfg.cross(), keys_and_values(&w.pp(variant.names.cross[0]), &hidden));
    }
    request.finish(graph, &w, &base.pp("encoder"))
}

/// Writes, looking at what the encoder gave.
fn decoder_graph(request: &Request, cfg: &Config, variant: &Variant) -> Result<Body> {
    let (graph, w) = request.graph_of("decoder_model_merged");
    let base = w.base(variant.base);
    let decoding = Decoding::new(&graph).beside_encoder();
    let source = Source::kept(&decoding, cfg.d_model);
    let hidden = decoder(cfg, variant, &base, &decoding.input_ids(), &decoding, &source, |x| decoding.at_the_end(x));
    let logits = heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &words(&base, "decoder"), &hidden);
    let logits = if w.has("final_logits_bias") { &logits + w.any("final_logits_bias", 2) } else { logits };
    graph.output("logits", &logits);
    request.finish(graph, &w, &base.pp("decoder"))
}

/// Both in one, for heads that see whole texts: the decoder reads the text once more, a token behind.
fn whole_graph(request: &Request, cfg: &Config, variant: &Variant) -> Result<Body> {
    let (graph, w) = request.graph();
    let base = w.base(variant.base);
    let decoding = Decoding::whole(&graph, None);
    let read = encoder(cfg, variant, &base, &decoding.input_ids(), &decoding.attention_mask);
    let source = Source::of(&read, &decoding.attention_mask);
    let classifies = request.head == Head::SequenceClassification;
    let wanted = |x: &Tensor| if classifies { at_the_last(x, &decoding.input_ids(), cfg.eos_token_id) } else { x.clone() };
    let hidden = decoder(cfg, variant, &base, &(variant.shifted)(cfg, &decoding.input_ids()), &decoding, &source, wanted);
    match request.head {
        Head::SequenceClassification => {
            let w = w.pp("classification_head");
            graph.output("logits", &linear(&w.pp("out_proj"), &linear(&w.pp("dense"), &hidden).tanh()));
        }
        Head::QuestionAnswering => heads::spans(&graph, &w.pp("qa_outputs"), &hidden),
        _ => graph.output("last_hidden_state", &hidden),
    }
    request.finish(graph, &w, &base)
}

fn encoder(cfg: &Config, variant: &Variant, base: &Weights, ids: &Tensor, attention_mask: &Tensor) -> Tensor {
    let w = base.pp("encoder");
    let places = ids.graph().range(&ids.dim(1)).unsqueeze(&[0]);
    let mask = Mask::padding(attention_mask);
    let x = embeddings(cfg, variant, base, "encoder", ids, &places);
    let layers = w.layers("layers", cfg.encoder_layers).enumerate();
    let x = layers.fold(x, |x, (i, w)| encoder_layer(cfg, variant, &w, &x, attention_mask, &mask, i));
    if variant.norm_first { norm(&w.pp("layer_norm"), &x) } else { x }
}

/// `wanted` picks the tokens whose hidden states are needed.
fn decoder(
    cfg: &Config,
    variant: &Variant,
    base: &Weights,
    ids: &Tensor,
    decoding: &Decoding,
    source: &Source,
    wanted: impl FnOnce(&Tensor) -> Tensor,
) -> Tensor {
    let w = base.pp("decoder");
    let x = embeddings(cfg, variant, base, "decoder", ids, &decoding.positions);
    let layers = w.layers("layers", cfg.decoder_layers).enumerate();
    let x = wanted(&layers.fold(x, |x, (i, w)| decoder_layer(cfg, variant, &w, &x, decoding, source, i)));
    if variant.norm_first { norm(&w.pp("layer_norm"), &x) } else { x }
}

fn embeddings(cfg: &Config, variant: &Variant, base: &Weights, side: &str, ids: &Tensor, places: &Tensor) -> Tensor {
    let w = base.pp(side);
    // Older checkpoints repeat the shared table, and tell the version of their code.
    w.skip("embed_tokens");
    w.skip("version");
    let words = embedding(&words(base, side), ids);
    let words = if cfg.scale_embedding { words * (cfg.d_model as f32).sqrt() } else { words };
    let positions = (variant.positions)(cfg, &w.pp("embed_positions"), ids, places);
    let norm = |x: &Tensor| norm(&w.pp("layernorm_embedding"), x);
    match variant.embedding_norm {
        EmbeddingNorm::None => words + positions,
        EmbeddingNorm::OfSumOrWords if side == "decoder" => norm(&words) + positions,
        EmbeddingNorm::OfSum | EmbeddingNorm::OfSumOrWords => norm(&(words + positions)),
    }
}

/// The table of words, which encoder, decoder and head share; a checkpoint may have it under the name of any of them.
fn words(base: &Weights, side: &str) -> Weights {
    let named = [base.pp("shared"), base.pp(side).pp("embed_tokens"), base.pp("decoder.embed_tokens"), base.pp("encoder.embed_tokens")];
    named.into_iter().find(|scope| scope.has("weight")).unwrap_or_else(|| base.pp("shared"))
}

fn encoder_layer(cfg: &Config, variant: &Variant, w: &Weights, x: &Tensor, tokens: &Tensor, mask: &Mask, i: usize) -> Tensor {
    let x = residual(variant, &w.pp("self_attn_layer_norm"), x, |x| {
        let w = w.pp("self_attn");
        (variant.encoder_attention)(&w, x, tokens, i).unwrap_or_else(|| self_attention(cfg, &w, x, mask))
    });
    feed_forward(cfg, variant, w, &x, false, i)
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, mask: &Mask) -> Tensor {
    let heads = cfg.encoder_attention_heads;
    let (query, [key, value]) = (linear(&w.pp("q_proj"), x), keys_and_values(w, x));
    let attended = attention(&query, &key, &value, heads, attention::scale(cfg.d_model / heads.max(1)), mask);
    linear(&w.pp("out_proj"), &attended)
}

fn decoder_layer(cfg: &Config, variant: &Variant, w: &Weights, x: &Tensor, decoding: &Decoding, source: &Source, i: usize) -> Tensor {
    let x = residual(variant, &w.pp("self_attn_layer_norm"), x, |x| {
        let w = w.pp("self_attn");
        let heads = cfg.decoder_attention_heads;
        let how = CachedAttention::new(heads, heads, cfg.d_model / heads.max(1));
        let (query, [key, value]) = (linear(&w.pp("q_proj"), x), keys_and_values(&w, x));
        linear(&w.pp("out_proj"), &cached_attention(decoding, i, &how, &query, &key, &value))
    });
    let [cross, cross_norm] = variant.names.cross;
    let x = residual(variant, &w.pp(cross_norm), &x, |x| {
        let w = w.pp(cross);
        // Where the encoder is a graph of its own, that one needs them.
        w.skip("k_proj");
        w.skip("v_proj");
        let query = linear(&w.pp("q_proj"), x);
        let attended = cross_attention(source, i, &cfg.cross(), &query, |hidden| keys_and_values(&w, hidden));
        linear(&w.pp("out_proj"), &attended)
    });
    feed_forward(cfg, variant, w, &x, true, i)
}

fn feed_forward(cfg: &Config, variant: &Variant, w: &Weights, x: &Tensor, decodes: bool, i: usize) -> Tensor {
    let [scope, norm] = variant.names.feed_forward;
    residual(variant, &w.pp(norm), x, |x| {
        let w = w.pp(scope);
        (variant.mixture)(&w, x, decodes, i).unwrap_or_else(|| two_layers(cfg.activation_function, &w, x))
    })
}

/// `fc2(act(fc1 x))`
pub(crate) fn two_layers(act: Activation, w: &Weights, x: &Tensor) -> Tensor {
    linear(&w.pp("fc2"), &act.of(&linear(&w.pp("fc1"), x)))
}

/// `x + part(x)`, with a norm on what the part sees, or else on the sum.
fn residual(variant: &Variant, w: &Weights, x: &Tensor, part: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
    if variant.norm_first { x + part(&norm(w, x)) } else { norm(w, &(x + part(x))) }
}

fn keys_and_values(w: &Weights, x: &Tensor) -> [Tensor; 2] {
    [linear(&w.pp("k_proj"), x), linear(&w.pp("v_proj"), x)]
}

fn norm(w: &Weights, x: &Tensor) -> Tensor {
    layer_norm(w, 1e-5, x)
}

impl Config {
    /// How the decoder looks at the encoder's text.
    fn cross(&self) -> CrossAttention {
        let heads = self.decoder_attention_heads;
        CrossAttention::new(heads, self.d_model / heads.max(1))
    }
}

/// The tokens one place further behind the one that answers start from.
pub(crate) fn behind_start(cfg: &Config, ids: &Tensor) -> Tensor {
    behind(&ids.graph().ints(&[1, 1], &[cfg.decoder_start_token_id.unwrap_or(0)]), ids)
}

/// The tokens one place further behind a first one, `(1 or batch, 1)`; the last token goes.
pub(crate) fn behind(first: &Tensor, ids: &Tensor) -> Tensor {
    let graph: &Graph = ids.graph();
    let first = first.expand(&[ids.dim(0).into(), 1i64.into()]);
    graph.concat(&[&first, &ids.slice(1, 0, -1)], 1)
}

/// What `x`, `(batch, sequence, width)`, has at the last of these tokens in each row: `(batch, width)`.
pub(crate) fn at_the_last(x: &Tensor, ids: &Tensor, token: Option<i64>) -> Tensor {
    let graph = ids.graph();
    let found = ids.equal(&graph.ints(&[], &[token.unwrap_or(-1)])).cast(Dtype::I64);
    let places = (graph.range(&ids.dim(1)).unsqueeze(&[0]) * found).reduce_max(&[1], true);
    x.gather_nd(&places, 1)
}
