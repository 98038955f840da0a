//! ProphetNet (<https://arxiv.org/abs/2001.04063>): an encoder, and a decoder with streams beside the tokens that have been written, each
//! of which says a token further ahead. Only the next token is asked for here, so that one such stream is enough.

use formers_converters::{
    Dtype, Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, CrossAttention, Decoding, Mask, Source, attention, attention::merge_heads, attention::split_heads,
        attention_and_cache, cross, cross_attention, embedding, layer_norm, linear, relative::bucket_back,
    },
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{heads, inputs},
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("prophetnet", &[Head::Seq2SeqLm], build).generation(&[
    ("pad_token_id", 0),
    ("bos_token_id", 1),
    ("eos_token_id", 2),
    ("decoder_start_token_id", 0),
]);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    activation_function: Activation,
    hidden_size: usize,
    num_encoder_layers: usize,
    num_encoder_attention_heads: usize,
    num_decoder_layers: usize,
    num_decoder_attention_heads: usize,
    max_position_embeddings: usize,
    num_buckets: i64,
    relative_max_distance: i64,
    pad_token_id: i64,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            activation_function: Activation::Gelu,
            hidden_size: 1024,
            num_encoder_layers: 12,
            num_encoder_attention_heads: 16,
            num_decoder_layers: 12,
            num_decoder_attention_heads: 16,
            max_position_embeddings: 512,
            num_buckets: 32,
            relative_max_distance: 128,
            pad_token_id: 0,
            tie_word_embeddings: true,
        }
    }
}

/// No model has more; a config that says so would take all memory.
const MOST: i64 = 1 << 16;

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    // Distances in the cache would be longer than those in a prompt.
    if cfg.pad_token_id != 0 {
        return Err(Error::unsupported(format!("config.json: pad_token_id: {} is not known for prophetnet, only 0", cfg.pad_token_id)));
    }
    for (field, value) in [("num_buckets", cfg.num_buckets), ("relative_max_distance", cfg.relative_max_distance)] {
        if !(2..MOST).contains(&value) {
            return Err(Error::config(format!("config.json: {field}: {value} makes no sense")));
        }
    }
    Ok(vec![encoder_graph(request, &cfg)?, decoder_graph(request, &cfg)?])
}

/// Reads a text once: its hidden states, and what every layer of the decoder will look at.
fn encoder_graph(request: &Request, cfg: &Config) -> Result<Body> {
    let (graph, w) = request.graph_of("encoder_model");
    let base = w.base("prophetnet");
    let text = inputs::Text::new(&graph);
    let places = graph.range(&text.length()).unsqueeze(&[0]);
    let own = base.pp("encoder");
    let x = words(&base, "encoder", &text.input_ids) + cfg.positions(&own, &(places + 1.0));
    let x = norm(&own.pp("embeddings_layer_norm"), &x);
    let mask = Mask::padding(&text.attention_mask);
    let x = own.layers("layers", cfg.num_encoder_layers).fold(x, |x, w| {
        let attended = self_attention(cfg, &w.pp("self_attn"), &x, &mask);
        feed_forward(cfg, &w, &norm(&w.pp("self_attn_layer_norm"), &(x + attended)))
    });
    graph.output("last_hidden_state", &x);
    for (i, w) in base.pp("decoder").layers("layers", cfg.num_decoder_layers).enumerate() {
        cross::keep(&graph, i, &cfg.cross(), keys_and_values(&w.pp("cross_attn"), &x));
    }
    request.finish(graph, &w, &own)
}

/// Writes, looking at what the encoder gave.
fn decoder_graph(request: &Request, cfg: &Config) -> Result<Body> {
    let (graph, w) = request.graph_of("decoder_model_merged");
    let base = w.base("prophetnet");
    let decoding = Decoding::new(&graph).beside_encoder();
    let source = Source::kept(&decoding, cfg.hidden_size);
    let own = base.pp("decoder");
    let main = words(&base, "decoder", &decoding.input_ids()) + cfg.positions(&own, &(&decoding.positions + 1.0));
    // The stream for the next token has the last of these vectors.
    let stream = own.pp("ngram_embeddings").any("weight", 2).select_index(0, -1);
    let ahead = stream + cfg.positions(&own, &(&decoding.positions + 2.0));
    let x = norm(&own.pp("embeddings_layer_norm"), &streams(&main, &ahead));
    let buckets = Buckets::new(cfg, &decoding);
    let layers = own.layers("layers", cfg.num_decoder_layers).enumerate();
    let x = layers.fold(x, |x, (i, w)| decoder_layer(cfg, &w, &x, &decoding, &source, &buckets, i));
    let hidden = decoding.at_the_end(&x.select_index(1, 1));
    graph.output("logits", &heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &table(&base, "decoder"), &hidden));
    request.finish(graph, &w, &own)
}

/// Both streams beside each other, `(batch, 2, sequence, width)`.
fn streams(main: &Tensor, ahead: &Tensor) -> Tensor {
    main.graph().concat(&[&main.unsqueeze(&[1]), &ahead.unsqueeze(&[1])], 1)
}

fn decoder_layer(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, source: &Source, buckets: &Buckets, i: usize) -> Tensor {
    let attended = stream_attention(cfg, &w.pp("self_attn"), x, decoding, buckets, i);
    let x = norm(&w.pp("self_attn_layer_norm"), &(x + attended));
    let cross = w.pp("cross_attn");
    // The encoder's graph needs them.
    cross.skip("key_proj");
    cross.skip("value_proj");
    // All streams ask alike: they stand behind one another.
    let query = linear(&cross.pp("query_proj"), &x);
    let flat = query.reshape(&[0i64.into(), (-1i64).into(), cfg.hidden_size.into()]);
    let attended = cross_attention(source, i, &cfg.cross(), &flat, |hidden| keys_and_values(&cross, hidden));
    let apart = attended.reshape(&[0i64.into(), 2i64.into(), (-1i64).into(), cfg.hidden_size.into()]);
    let x = norm(&w.pp("cross_attn_layer_norm"), &(x + linear(&cross.pp("out_proj"), &apart)));
    feed_forward(cfg, w, &x)
}

/// The tokens see those before them and themselves, and the stream ahead sees the same and itself. What a query adds for the distance to a
/// key is a product of its own.
fn stream_attention(cfg: &Config, w: &Weights, x: &Tensor, decoding: &Decoding, buckets: &Buckets, i: usize) -> Tensor {
    let heads = cfg.num_decoder_attention_heads;
    let how = CachedAttention::new(heads, heads, cfg.hidden_size / heads.max(1));
    let (query, [key, value]) = (linear(&w.pp("query_proj"), x), keys_and_values(w, x));
    let by_bucket = linear(&w.pp("relative_pos_embeddings"), x);
    let of = |x: &Tensor, stream: i64| x.select_index(1, stream);

    let main = buckets.main(&by_head(cfg, &of(&by_bucket, 0)));
    let parts = [&query, &key, &value].map(|x| of(x, 0));
    let (attended, [keys, values]) = attention_and_cache(&decoding.with_scores(&main), i, &how, [&parts[0], &parts[1], &parts[2]]);

    let by_bucket = by_head(cfg, &of(&by_bucket, 1));
    let [query, key, value] = [&query, &key, &value].map(|x| split_heads(&of(x, 1), heads));
    let seen = query.matmul_transposed(&keys, how.scale) + buckets.ahead(&by_bucket);
    let itself = (&query * &key).sum(&[-1], true) * how.scale + by_bucket.slice(3, 0, 1);
    let shares = x.graph().concat(&[&seen, &itself], -1).softmax(-1);
    let ahead = shares.slice(3, 0, -1).matmul(&values) + shares.slice(3, -1, i64::MAX) * value;
    linear(&w.pp("out_proj"), &streams(&attended, &merge_heads(&ahead)))
}

/// `(batch, sequence, buckets · heads)` as `(batch, heads, sequence, buckets)`.
fn by_head(cfg: &Config, x: &Tensor) -> Tensor {
    let (buckets, heads) = (usize::try_from(cfg.num_buckets).unwrap_or_default(), cfg.num_decoder_attention_heads);
    if buckets.checked_mul(heads) != Some(x.fixed(-1)) {
        let problem = format!("config.json: {buckets} buckets for {heads} heads do not make relative positions of width {}", x.fixed(-1));
        x.graph().fail(Error::config(problem));
    }
    x.reshape(&[0i64.into(), 0i64.into(), buckets.into(), heads.into()]).transpose(&[0, 3, 1, 2])
}

/// Which buckets the distances from queries to keys are in, `(batch, 1, sequence, total)`.
struct Buckets {
    main: Tensor,
    ahead: Tensor,
    /// Is added so that no query sees a key after it.
    causal: Tensor,
    heads: usize,
}

impl Buckets {
    fn new(cfg: &Config, decoding: &Decoding) -> Self {
        let graph = decoding.graph();
        let keys = graph.range(&decoding.attention_mask.dim(1));
        let distances = decoding.positions.unsqueeze(&[1, 3]) - &keys;
        let rows: Vec<i64> = (0..=cfg.relative_max_distance).map(|d| bucket_back(d, cfg.num_buckets, cfg.relative_max_distance)).collect();
        let rows = graph.ints(&[rows.len()], &rows);
        let bucket = |distances: &Tensor| rows.gather(&distances.clip(0.0, cfg.relative_max_distance as f32), 0);
        let causal = decoding.visible(None);
        // The stream ahead is one place further.
        let ahead = bucket(&(&distances + 1.0));
        Self { main: bucket(&distances), ahead, causal, heads: cfg.num_decoder_attention_heads }
    }

    /// What is added to the scores of tokens, from what each bucket adds, `(batch, heads, sequence, buckets)`.
    fn main(&self, by_bucket: &Tensor) -> Tensor {
        self.at(&self.main, by_bucket)
    }

    /// What is added to the scores of the stream ahead.
    fn ahead(&self, by_bucket: &Tensor) -> Tensor {
        self.at(&self.ahead, by_bucket) + &self.causal
    }

    fn at(&self, buckets: &Tensor, by_bucket: &Tensor) -> Tensor {
        by_bucket.gather_elements(&buckets.expand(&[1i64.into(), self.heads.into(), 1i64.into(), 1i64.into()]), -1)
    }
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor, mask: &Mask) -> Tensor {
    let heads = cfg.num_encoder_attention_heads;
    let (query, [key, value]) = (linear(&w.pp("query_proj"), x), keys_and_values(w, x));
    let attended = attention(&query, &key, &value, heads, attention::scale(cfg.hidden_size / heads.max(1)), mask);
    linear(&w.pp("out_proj"), &attended)
}

fn feed_forward(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let own = w.pp("feed_forward");
    let h = linear(&own.pp("output"), &cfg.activation_function.of(&linear(&own.pp("intermediate"), x)));
    norm(&w.pp("feed_forward_layer_norm"), &(x + h))
}

fn keys_and_values(w: &Weights, x: &Tensor) -> [Tensor; 2] {
    [linear(&w.pp("key_proj"), x), linear(&w.pp("value_proj"), x)]
}

fn words(base: &Weights, side: &str, ids: &Tensor) -> Tensor {
    base.pp(side).skip("word_embeddings");
    embedding(&table(base, side), ids)
}

/// The table of words, which encoder, decoder and head share.
fn table(base: &Weights, side: &str) -> Weights {
    let shared = base.pp("word_embeddings");
    if shared.has("weight") { shared } else { base.pp(side).pp("word_embeddings") }
}

fn norm(w: &Weights, x: &Tensor) -> Tensor {
    layer_norm(w, 1e-5, x)
}

impl Config {
    /// Learned positions; those behind the last have its row.
    fn positions(&self, w: &Weights, places: &Tensor) -> Tensor {
        let last = places.graph().ints(&[], &[i64::try_from(self.max_position_embeddings).unwrap_or(i64::MAX) - 1]);
        embedding(&w.pp("position_embeddings"), &places.cast(Dtype::I64).min(&last))
    }

    /// How the decoder looks at the encoder's text.
    fn cross(&self) -> CrossAttention {
        let heads = self.num_decoder_attention_heads;
        CrossAttention::new(heads, self.hidden_size / heads.max(1))
    }
}
