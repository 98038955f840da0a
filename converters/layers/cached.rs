//! Attention of decoders: to the tokens so far, whose keys and values are kept from run to run.

use super::{attention::scale as usual_scale, embedding, lowest, unless};
use crate::{
    Dtype, Error, Weights,
    graph::{Attributes, Caller, Dim, Graph, Size, Tensor},
};

/// The inputs of a decoder, by Optimum's names. With a cache it goes on from what it has seen, and one graph runs prompts and
/// single steps; without, it sees whole texts.
///
/// Rows of different lengths are padded on the right. The cache of a row has no gaps: its next token goes right behind its
/// last one, over the padding. So `attention_mask`, `(batch, total)`, matters only by how many ones a row has: the tokens
/// with this run's. Its width is that of the longest row in the cache and of this run's tokens together.
#[derive(Clone)]
pub struct Decoding {
    /// `input_ids`, `(batch, sequence)`, or `inputs_embeds`, `(batch, sequence, width)`.
    read: Tensor,
    /// The position of each token, `(batch, sequence)`.
    pub positions: Tensor,
    /// 1 for a token, 0 for padding behind them, `(batch, total)`.
    pub attention_mask: Tensor,
    pub(super) graph: Graph,
    /// The last place of each row in its cache, `(batch)`, 32 bits.
    last: Tensor,
    /// The width of `attention_mask`, 32 bits.
    total: Tensor,
    /// How many tokens each row has in this run, `(batch)`; what follows them is padding.
    pub(super) fresh: Tensor,
    /// The places in this run of the tokens whose logits are wanted, `(batch, tokens)`.
    wanted: Tensor,
    /// Whether keys and values are kept from run to run.
    pub(super) caches: bool,
    /// What the names of the cache have behind the layer: nothing, or `decoder.` beside an encoder.
    side: &'static str,
    /// What is added to all scores, `(1 or batch, heads, sequence, total)`.
    bias: Option<Tensor>,
}

impl Decoding {
    /// With a cache: declares `input_ids`, `attention_mask` and `num_logits_to_keep`; each attention declares its part of the cache.
    ///
    /// Logits are wanted for so many tokens at the end of each row, 0 for all of this run. Where a row has fewer, its first one is
    /// repeated in front. Callers that are not our own may leave that out, and of all tokens have each at its place.
    pub fn new(graph: &Graph) -> Self {
        Self::reading(ids(graph, "input_ids", SEQUENCE))
    }

    /// As [`Decoding::new`], for embeddings of this width in place of tokens: declares `inputs_embeds`.
    pub fn of_embeddings(graph: &Graph, width: usize) -> Self {
        let shape = [Dim::from("batch_size"), Dim::from(SEQUENCE), width.into()];
        Self::reading(graph.input("inputs_embeds", graph.float(), &shape))
    }

    fn reading(read: Tensor) -> Self {
        let graph = &read.graph().clone();
        let attention_mask = ids(graph, "attention_mask", TOTAL);
        let keep = graph.input("num_logits_to_keep", Dtype::I64, &[]);
        let (totals, width) = (attention_mask.sum(&[1], false), attention_mask.dim(1));
        if graph.caller() == Caller::Own {
            return Self::counted([read, attention_mask, keep], &totals, &width, None);
        }
        graph.optional(&keep, &[], &[0]);
        // Others pad on the left as well: such rows move to the front, and what padding there is follows.
        let sequence = read.dim(1);
        let in_front = attention_mask.slice(1, 0, 1).equal(&graph.ints(&[], &[0])).cast(Dtype::I64);
        let padding = in_front * (&sequence - totals.min(&sequence)).unsqueeze(&[1]);
        let places = (graph.range(&sequence).unsqueeze(&[0]) + &padding).min(&(&sequence - graph.ints(&[], &[1])));
        let moved = if read.rank() == 2 { read.gather_elements(&places, 1) } else { read.gather_nd(&places.unsqueeze(&[2]), 1) };
        Self::counted([moved, attention_mask, keep], &totals, &width, Some(&padding))
    }

    /// With so many tokens in each row, `(batch)`, and so many places for them; rows may have moved to the front by so many places,
    /// `(batch, 1)`.
    fn counted([read, attention_mask, keep]: [Tensor; 3], totals: &Tensor, width: &Tensor, moved: Option<&Tensor>) -> Self {
        let graph = &read.graph().clone();
        let sequence = read.dim(1);
        let fresh = totals.min(&sequence);
        let positions = (totals - &fresh).unsqueeze(&[1]) + graph.range(&sequence).unsqueeze(&[0]);
        let all = keep.equal(&graph.ints(&[], &[0]));
        let keep = all.select(&sequence, &keep);
        let first = (&fresh - &keep).unsqueeze(&[1]);
        // Of all tokens, each stays where the caller has it.
        let first = moved.map_or_else(|| first.clone(), |moved| all.select(&(graph.ints(&[], &[0]) - moved), &first));
        let wanted = (first + graph.range(&keep).unsqueeze(&[0])).max(&graph.ints(&[], &[0]));
        Self { caches: true, fresh, ..Self::over(&attention_mask, totals, width, [read, positions, wanted]) }
    }

    /// Without a cache: declares `input_ids` and `attention_mask`.
    ///
    /// Logits are wanted for the last token of each row: the last that is not `pad_token_id`, where that is given.
    pub fn whole(graph: &Graph, pad_token_id: Option<i64>) -> Self {
        let input_ids = ids(graph, "input_ids", SEQUENCE);
        let attention_mask = ids(graph, "attention_mask", SEQUENCE);
        let places = graph.range(&input_ids.dim(1)).unsqueeze(&[0]);
        let padding = pad_token_id.map(|id| input_ids.equal(&graph.ints(&[], &[id])));
        let tokens = padding.map_or_else(|| attention_mask.clone(), |padding| padding.not().cast(Dtype::I64));
        let wanted = (&places * tokens).reduce_max(&[1], true);
        let totals = attention_mask.sum(&[1], false);
        let positions = places.expand(&[input_ids.dim(0).into(), 1i64.into()]);
        Self::over(&attention_mask, &totals, &attention_mask.dim(1), [input_ids, positions, wanted])
    }

    fn over(attention_mask: &Tensor, totals: &Tensor, width: &Tensor, [read, positions, wanted]: [Tensor; 3]) -> Self {
        let graph = read.graph().clone();
        let last = (totals - graph.ints(&[], &[1])).cast(Dtype::I32);
        let total = width.squeeze(&[0]).cast(Dtype::I32);
        let (attention_mask, fresh) = (attention_mask.clone(), totals.clone());
        Self { read, positions, attention_mask, graph, last, total, fresh, wanted, caches: false, side: "", bias: None }
    }

    /// The tokens, `(batch, sequence)`.
    pub fn input_ids(&self) -> Tensor {
        if self.read.rank() == 2 {
            return self.read.clone();
        }
        self.graph.fail(Error::unsupported("this architecture reads tokens alone: it is no part of others"));
        self.graph.ints(&[1, 1], &[0])
    }

    /// The embeddings of what is read, `(batch, sequence, width)`: of tokens by this table.
    pub fn embedded(&self, words: &Weights) -> Tensor {
        if self.reads_embeddings() {
            words.skip("weight");
            return self.read.clone();
        }
        embedding(words, &self.read)
    }

    /// Whether embeddings are read, and not tokens.
    pub fn reads_embeddings(&self) -> bool {
        self.read.rank() == 3
    }

    /// How many tokens each row has in this run, with padding, as a one-element tensor.
    pub fn sequence(&self) -> Tensor {
        self.read.dim(1)
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The same beside an encoder, whose keys and values are kept as well: the cache is `past_key_values.{layer}.decoder.key`, ….
    #[must_use]
    pub fn beside_encoder(self) -> Self {
        let decoding = if self.graph.caller() == Caller::Any { self.counting_itself() } else { self };
        Self { side: "decoder.", ..decoding }
    }

    /// The same where `attention_mask` may be left out, because other programs say nothing of a decoder's tokens beside an encoder: each
    /// row has what the cache holds, and this run's.
    fn counting_itself(self) -> Self {
        let Self { graph, attention_mask, .. } = self;
        let input_ids = ids(&graph, "input_ids", SEQUENCE);
        graph.optional(&attention_mask, &[1, 0], &[]);
        let shape = [Dim::from("batch_size"), Dim::Unknown, Dim::from("past_sequence_length"), Dim::Unknown];
        let past = graph.input("past_key_values.0.decoder.key", graph.float(), &shape).dim(2);
        let said = attention_mask.dim(1);
        let unsaid = said.equal(&graph.ints(&[], &[0])).cast(Dtype::I64) * (past + input_ids.dim(1));
        let totals = (attention_mask.sum(&[1], false) + &unsaid).expand(&[input_ids.dim(0).into()]);
        let keep = graph.input("num_logits_to_keep", Dtype::I64, &[]);
        let width = said + unsaid;
        let attention_mask = graph.range(&width).unsqueeze(&[0]).less(&totals.unsqueeze(&[1])).cast(Dtype::I64);
        Self::counted([input_ids, attention_mask, keep], &totals, &width, None)
    }

    /// The same, with a bias that every layer adds to its scores, from the positions of the keys, `(total)`: `(heads, total)`.
    #[must_use]
    pub fn with_bias(mut self, bias: impl FnOnce(&Tensor) -> Tensor) -> Self {
        let bias = bias(&self.graph.range(&self.total.cast(Dtype::I64))).cast(self.graph.float());
        let heads = Size::from(bias.fixed(0));
        // The operator repeats nothing along the queries itself.
        let shape = [1i64.into(), heads, self.sequence().into(), self.total.cast(Dtype::I64).into()];
        self.bias = Some(bias.unsqueeze(&[0, 2]).expand(&shape));
        self
    }

    /// The same, with a bias that layers add to their scores, by how far a key is behind its query: `by_distance` is
    /// `(distances, heads)`, whose last row is for all that are further away.
    #[must_use]
    pub fn with_distances(&self, by_distance: &Tensor) -> Self {
        let keys = self.graph.range(&self.total.cast(Dtype::I64));
        let most = by_distance.fixed(0).saturating_sub(1);
        // Keys after the query are not looked at, but a row must be there for them.
        let back = (self.positions.unsqueeze(&[2]) - keys).clip(0.0, most as f32);
        let bias = by_distance.gather(&back, 0).transpose(&[0, 3, 1, 2]).cast(self.graph.float());
        Self { bias: Some(bias), ..self.clone() }
    }

    /// The same, with a bias that is added to the scores of one layer, `(batch, heads, sequence, total)`.
    #[must_use]
    pub fn with_scores(&self, bias: &Tensor) -> Self {
        Self { bias: Some(bias.clone()), ..self.clone() }
    }

    /// The same, where a token sees only tokens of its own chunk: those whose positions give the same quotient with `size`.
    #[must_use]
    pub fn with_chunks(&self, size: usize) -> Self {
        let size = self.graph.ints(&[], &[i64::try_from(size.max(1)).unwrap_or(i64::MAX)]);
        let keys = self.graph.range(&self.total.cast(Dtype::I64)) / &size;
        let same = (&self.positions / &size).unsqueeze(&[2]).equal(&keys);
        let float = self.graph.float();
        let bias = same.select(&self.graph.floats(&[], &[0.0]), &self.graph.floats(&[], &[lowest(float)]));
        Self { bias: Some(bias.unsqueeze(&[1])), ..self.clone() }
    }

    /// What is added to scores so that a token sees itself and those before it, or so many of them: `(batch, 1, sequence, total)`.
    pub fn visible(&self, window: Option<usize>) -> Tensor {
        let graph = &self.graph;
        let back = self.positions.unsqueeze(&[1, 3]) - graph.range(&self.total.cast(Dtype::I64));
        let before = back.greater_or_equal(&graph.ints(&[], &[0]));
        let near = |window| back.less(&graph.ints(&[], &[i64::try_from(window).unwrap_or(i64::MAX)]));
        unless(&window.map_or_else(|| before.clone(), |window| before.and(&near(window))))
    }

    /// What `hidden`, `(batch, sequence, width)`, has at the tokens whose logits are wanted: `(batch, tokens, width)`.
    pub fn at_the_end(&self, hidden: &Tensor) -> Tensor {
        hidden.gather_nd(&self.wanted.unsqueeze(&[2]), 1)
    }
}

/// The names of the width of `input_ids` and of `attention_mask`.
const SEQUENCE: &str = "sequence_length";
const TOTAL: &str = "total_sequence_length";

fn ids(graph: &Graph, name: &str, width: &str) -> Tensor {
    graph.input(name, Dtype::I64, &[Dim::from("batch_size"), Dim::from(width)])
}

/// No model has more; a config that says so would take all memory.
const MOST_HEADS: usize = 1 << 16;

/// The slopes of linear biases (<https://arxiv.org/abs/2108.12409>), `(heads, 1)` in 32 bits: powers of a base, from `2^(-max / n)`
/// for `n` heads on. Where `n` is no power of two, every other slope of twice as many heads follows those of the power below.
pub fn alibi_slopes(graph: &Graph, heads: usize, max: f32) -> Tensor {
    if heads > MOST_HEADS {
        graph.fail(Error::config(format!("config.json: {heads} attention heads make no sense")));
        return graph.constant(Dtype::F32, &[1, 1], vec![0; 4]);
    }
    let whole = if heads.is_power_of_two() { heads } else { heads.next_power_of_two() / 2 };
    let slopes = |heads: usize| {
        let base = (-max / heads.max(1) as f32).exp2();
        (1..=heads).map(move |i| f64::from(base).powf(i as f64) as f32)
    };
    let all: Vec<f32> = slopes(whole).chain(slopes(2 * whole).step_by(2)).take(heads).collect();
    graph.constant(Dtype::F32, &[heads, 1], bytemuck::cast_slice(&all).to_vec())
}

/// How one layer attends.
#[derive(Clone)]
pub struct CachedAttention {
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values, shared by several of the queries'.
    pub groups: usize,
    /// The width of a head.
    pub size: usize,
    /// Scores are multiplied with it.
    pub scale: f32,
    /// How many tokens back a token sees, itself included; `None` for all.
    pub window: Option<usize>,
    /// Scores become `cap · tanh(scores / cap)`.
    pub softcap: Option<f32>,
    /// The score of each head's sink, `(heads)`: a key that every token sees, and that has no value.
    pub sinks: Option<Tensor>,
}

impl CachedAttention {
    /// All tokens so far, with the usual scale.
    pub fn new(heads: usize, groups: usize, size: usize) -> Self {
        Self { heads, groups, size, scale: usual_scale(size), window: None, softcap: None, sinks: None }
    }
}

/// The operator wants heads of a multiple of this.
const STEP: usize = 8;

/// Attention to the tokens so far, in layer `layer`, whose part of the cache this declares: inputs `past_key_values.{layer}.key`
/// and `.value`, outputs `present.{layer}.key` and `.value`, each `(batch, groups, tokens, size)`; without a cache, of whole texts.
///
/// `query` is `(batch, sequence, heads · size)`, `key` and `value` `(batch, sequence, groups · size)`; the result is like `query`.
/// Past may have more room than tokens: present is the same tensor then, written in place where the caller binds both to it.
pub fn cached_attention(decoding: &Decoding, layer: usize, how: &CachedAttention, query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
    operator(decoding, layer, how, [query, key, value]).0
}

/// As [`cached_attention`], and the keys and values of all tokens so far for what else looks at them, `(batch, groups, total, size)` each.
pub fn attention_and_cache(decoding: &Decoding, layer: usize, how: &CachedAttention, parts: [&Tensor; 3]) -> (Tensor, [Tensor; 2]) {
    let (attended, present) = operator(decoding, layer, how, parts);
    let total = Size::from(decoding.total.cast(Dtype::I64));
    // There may be more room than tokens, and heads may have zeros behind them.
    let all = |x: &Tensor| x.slice_steps(2, &0i64.into(), &total, 1).slice(3, 0, i64::try_from(how.size).unwrap_or(i64::MAX));
    let Some(present) = present else {
        let empty = decoding.graph.full(&[1i64.into(), how.groups.into(), 1i64.into(), how.size.into()], 0.0, attended.dtype());
        return (attended, [empty.clone(), empty]);
    };
    (attended, present.map(|x| all(&x)))
}

/// `softmax(scale · q kᵀ + visible) v`, of keys and values that [`attention_and_cache`] gave for another layer: `query` is
/// `(batch, sequence, heads · size)`, as is the result. `visible` is what [`Decoding::visible`] gives.
pub fn attention_to_cache(how: &CachedAttention, query: &Tensor, [keys, values]: [&Tensor; 2], visible: &Tensor) -> Tensor {
    let CachedAttention { heads, groups, size, .. } = *how;
    let fits = groups > 0 && heads.is_multiple_of(groups) && heads.checked_mul(size) == Some(query.fixed(-1));
    if !fits || keys.fixed(-1) != size || keys.fixed(1) != groups {
        query.graph().fail(Error::config(format!(
            "config.json: {heads} attention heads of width {size} cannot look at {} key heads of width {}",
            keys.fixed(1),
            keys.fixed(-1)
        )));
        return query.clone();
    }
    // The heads that share a key head are behind it: (batch, groups, shared, sequence, size).
    let apart = query.reshape(&[0i64.into(), 0i64.into(), groups.into(), (heads / groups).into(), size.into()]);
    let scores = apart.transpose(&[0, 2, 3, 1, 4]).matmul_transposed(&keys.unsqueeze(&[2]), how.scale);
    let attended = (scores + visible.unsqueeze(&[1])).softmax(-1).matmul(&values.unsqueeze(&[2]));
    attended.transpose(&[0, 3, 1, 2, 4]).reshape(&[0i64.into(), 0i64.into(), query.fixed(-1).into()])
}

/// What is attended, and present keys and values; those only where all sizes fit.
fn operator(decoding: &Decoding, layer: usize, how: &CachedAttention, [query, key, value]: [&Tensor; 3]) -> (Tensor, Option<[Tensor; 2]>) {
    let graph = &decoding.graph;
    let CachedAttention { heads, groups, size, .. } = *how;
    let fits = groups > 0 && heads.is_multiple_of(groups) && size > 0;
    for (name, tensor, heads) in [("query", query, heads), ("key", key, groups), ("value", value, groups)] {
        if !fits || heads.checked_mul(size) != Some(tensor.fixed(-1)) {
            graph.fail(Error::config(format!(
                "config.json: {heads} attention heads of width {size} do not make the {name} width of {}, or cannot share {groups} key heads",
                tensor.fixed(-1)
            )));
            return (query.clone(), None);
        }
    }
    let room = size.next_multiple_of(STEP);
    let past = |part: &str| {
        let name = format!("past_key_values.{layer}.{}{part}", decoding.side);
        let shape = [Dim::from("batch_size"), groups.into(), Dim::from("past_sequence_length"), room.into()];
        decoding.caches.then(|| graph.input(&name, graph.float(), &shape))
    };
    let (past_key, past_value) = (past("key"), past("value"));
    let query = wider(query, heads, size, room);
    let inputs = [
        Some(&query),
        Some(&wider(key, groups, size, room)),
        Some(&wider(value, groups, size, room)),
        past_key.as_ref(),
        past_value.as_ref(),
        Some(&decoding.last),
        Some(&decoding.total),
        None,
        None,
        None,
        decoding.bias.as_ref(),
        how.sinks.as_ref(),
    ];
    let inputs = if how.sinks.is_some() { &inputs[..] } else { &inputs[..11] };
    let mut attributes = Attributes::new().with("num_heads", heads).with("kv_num_heads", groups).with("scale", how.scale);
    if let Some(window) = how.window {
        attributes = attributes.with("local_window_size", window);
    }
    if let Some(softcap) = how.softcap {
        attributes = attributes.with("softcap", softcap);
    }
    let present = vec![Dim::from("batch_size"), groups.into(), Dim::from(if decoding.caches { TOTAL } else { SEQUENCE }), room.into()];
    let outputs = [(query.dtype(), query.shape()), (query.dtype(), present.clone()), (query.dtype(), present)];
    let outputs = graph.op("GroupQueryAttention", "com.microsoft", inputs, attributes, &outputs);
    for (part, output) in ["key", "value"].iter().zip(outputs.iter().skip(1)).filter(|_| decoding.caches) {
        graph.give(&format!("present.{layer}.{}{part}", decoding.side), output);
    }
    let Ok([attended, key, value]) = <[Tensor; 3]>::try_from(outputs) else { return (query, None) };
    (narrower(&attended, heads, size, room), Some([key, value]))
}

/// Heads with zeros behind them, which change no product.
fn wider(x: &Tensor, heads: usize, size: usize, room: usize) -> Tensor {
    if size == room {
        return x.clone();
    }
    let apart = x.reshape(&[0i64.into(), 0i64.into(), heads.into(), size.into()]);
    apart.pad(&[(0, 0), (0, 0), (0, 0), (0, (room - size) as i64)], 0.0).reshape(&[0i64.into(), 0i64.into(), Size::from(heads * room)])
}

/// Heads without the zeros behind them.
fn narrower(x: &Tensor, heads: usize, size: usize, room: usize) -> Tensor {
    if size == room {
        return x.clone();
    }
    let apart = x.reshape(&[0i64.into(), 0i64.into(), heads.into(), room.into()]);
    apart.slice(3, 0, size as i64).reshape(&[0i64.into(), 0i64.into(), Size::from(heads * size)])
}
