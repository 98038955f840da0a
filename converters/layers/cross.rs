//! Attention of a decoder to the text that an encoder has read.

use super::{
    Decoding,
    attention::{scale as usual_scale, split_heads},
};
use crate::{
    Dtype, Error,
    graph::{Attributes, Caller, Dim, Graph, Tensor},
};

/// What the layers of a decoder see of the encoder: texts that it read once.
///
/// Rows of the decoder may share a text: `(rows, …)` are `(texts · rows of each, …)` then, the rows of a text behind one another.
pub struct Source {
    graph: Graph,
    /// `(texts, tokens)`, 32 bits: 0 where a token is padding.
    mask: Tensor,
    encoder: Encoder,
}

enum Encoder {
    /// The encoder ran before, and its keys and values are inputs. Shapes of queries: those of a text together, and of each row apart.
    Run { together: Tensor, apart: Tensor, unread: Option<Unread> },
    /// The encoder is in the same graph, and has one text for each row; its hidden states.
    Graph(Tensor),
}

/// What callers that keep nothing of the encoder's graph give in the first run: its hidden states, of which the decoder makes the keys
/// and values itself, and gives them on. In later runs those are there, and nothing is left of what follows.
struct Unread {
    /// `(texts, tokens or none, width)`
    hidden: Tensor,
    /// `(texts, tokens or none)`
    mask: Tensor,
    /// All of a run's queries, or none: those that look at keys and values which are there.
    looks_back: Tensor,
}

impl Source {
    /// Of an encoder that ran before: declares `encoder_attention_mask`, `(texts, tokens)`; each attention declares its keys and values.
    ///
    /// `width` is that of all heads' queries together, and of the encoder's hidden states.
    pub fn kept(decoding: &Decoding, width: usize) -> Self {
        Self::kept_from(decoding, width, width)
    }

    /// The same, where hidden states have a width of their own.
    pub fn kept_from(decoding: &Decoding, width: usize, hidden: usize) -> Self {
        let graph = decoding.graph();
        let mask = graph.input("encoder_attention_mask", Dtype::I64, &[texts(graph), Dim::from(TOKENS)]);
        let shape = |rows: Tensor| graph.size(&[rows.into(), (-1i64).into(), width.into()]);
        let (together, apart) = (shape(mask.dim(0)), shape(decoding.positions.dim(0)));
        let mask = mask.cast(Dtype::I32);
        let (mask, unread) = if graph.caller() == Caller::Any { unread(graph, mask, hidden) } else { (mask, None) };
        Self { graph: graph.clone(), mask, encoder: Encoder::Run { together, apart, unread } }
    }

    /// The same, where layers look at what this makes of the encoder's hidden states. (An encoder that gives keys and values has made
    /// them of that.)
    #[must_use]
    pub fn through(mut self, project: impl FnOnce(&Tensor) -> Tensor) -> Self {
        match &mut self.encoder {
            Encoder::Run { unread: None, .. } => {}
            Encoder::Run { unread: Some(Unread { hidden, .. }), .. } | Encoder::Graph(hidden) => *hidden = project(hidden),
        }
        self
    }

    /// Of an encoder in the same graph: its hidden states, `(batch, tokens, width)`, and which tokens are no padding, `(batch, tokens)`.
    pub fn of(hidden: &Tensor, attention_mask: &Tensor) -> Self {
        Self { graph: hidden.graph().clone(), mask: attention_mask.cast(Dtype::I32), encoder: Encoder::Graph(hidden.clone()) }
    }
}

/// The names of the number of texts and of their width.
const TEXTS: &str = "encoder_batch_size";
const TOKENS: &str = "encoder_sequence_length";
/// The same of what is kept, which is nothing at first: transformers.js takes sizes for 0 whose names it does not know.
const KEPT_TOKENS: &str = "encoder_sequence_length_out";

/// The number of texts: other programs have one for each row, and know it by that name.
fn texts(graph: &Graph) -> Dim {
    Dim::from(if graph.caller() == Caller::Any { "batch_size" } else { TEXTS })
}

/// What is to be read, and the mask of what is there.
fn unread(graph: &Graph, mask: Tensor, width: usize) -> (Tensor, Option<Unread>) {
    let shape = [texts(graph), Dim::Unknown, Dim::from(KEPT_TOKENS), Dim::Unknown];
    let kept = graph.input("past_key_values.0.encoder.key", graph.float(), &shape).dim(2);
    let hidden = graph.input("encoder_hidden_states", graph.float(), &[texts(graph), Dim::from(TOKENS), width.into()]);
    let all = graph.ints(&[1], &[i64::MAX]);
    let rest = |x: &Tensor| x.slice_steps(1, &(&kept).into(), &(&all).into(), 1);
    let looks_back = kept.greater(&graph.ints(&[1], &[0])).select(&all, &graph.ints(&[1], &[0]));
    let unread = Unread { hidden: rest(&hidden), mask: rest(&mask), looks_back };
    (mask.slice_steps(1, &0i64.into(), &kept.into(), 1), Some(unread))
}

/// How one layer attends to the encoder's text.
#[derive(Debug, Clone)]
pub struct CrossAttention {
    /// Heads of queries, keys and values.
    pub heads: usize,
    /// The width of a head.
    pub size: usize,
    /// Scores are multiplied with it.
    pub scale: f32,
}

impl CrossAttention {
    /// With the usual scale.
    pub fn new(heads: usize, size: usize) -> Self {
        Self { heads, size, scale: usual_scale(size) }
    }

    fn check(&self, graph: &Graph, name: &str, x: &Tensor) -> bool {
        let (heads, size, width) = (self.heads, self.size, x.fixed(-1));
        let fits = size > 0 && heads.checked_mul(size) == Some(width);
        if !fits {
            let problem = format!("config.json: {heads} attention heads of width {size} do not make the {name} width of {width}");
            graph.fail(Error::config(problem));
        }
        fits
    }
}

/// Attention of layer `layer` to the encoder's text. `query` is `(rows, sequence, heads · size)`, and the result is like it.
///
/// Keys and values, `(texts, tokens, heads · size)`, are what `project` makes of the encoder's hidden states. Where the encoder ran
/// before they are inputs instead, as [`keep`] gives them there: `past_key_values.{layer}.encoder.key` and `.value`.
pub fn cross_attention(
    source: &Source,
    layer: usize,
    how: &CrossAttention,
    query: &Tensor,
    project: impl FnOnce(&Tensor) -> [Tensor; 2],
) -> Tensor {
    let graph = &source.graph;
    if !how.check(graph, "query", query) {
        return query.clone();
    }
    let attributes = Attributes::new().with("num_heads", how.heads).with("scale", how.scale);
    let attend = |query: &Tensor, key: &Tensor, value: &Tensor, mask: &Tensor| {
        let inputs = [Some(query), Some(key), Some(value), None, Some(mask)];
        graph.op("MultiHeadAttention", "com.microsoft", &inputs, attributes.clone(), &[(query.dtype(), query.shape())]).swap_remove(0)
    };
    match &source.encoder {
        Encoder::Graph(hidden) => {
            let [key, value] = project(hidden);
            let fits = how.check(graph, "key", &key) && how.check(graph, "value", &value);
            if fits { attend(query, &key, &value, &source.mask) } else { query.clone() }
        }
        Encoder::Run { together, apart, unread } => {
            let tokens = Dim::from(if unread.is_some() { KEPT_TOKENS } else { TOKENS });
            let shape = [texts(graph), how.heads.into(), tokens, how.size.into()];
            let [key, value] = PARTS.map(|part| graph.input(&format!("past_key_values.{layer}.encoder.{part}"), graph.float(), &shape));
            // All queries to a text are rows of one product, whichever beam they are of: its keys are read once, and never copied.
            let reshape = |x: &Tensor, to: &Tensor, shape: Vec<Dim>| {
                graph.op("Reshape", "", &[Some(x), Some(to)], Attributes::new(), &[(x.dtype(), shape)]).swap_remove(0)
            };
            let queries = reshape(query, together, vec![texts(graph), Dim::Unknown, query.fixed(-1).into()]);
            let attended = match unread {
                None => attend(&queries, &key, &value, &source.mask),
                Some(unread) => {
                    let made = project(&unread.hidden);
                    let [new_key, new_value] = &made;
                    let back = attend(&queries.slice_steps(1, &0i64.into(), &(&unread.looks_back).into(), 1), &key, &value, &source.mask);
                    let rest = queries.slice_steps(1, &(&unread.looks_back).into(), &i64::MAX.into(), 1);
                    let attended = graph.concat(&[&back, &attend(&rest, new_key, new_value, &unread.mask)], 1);
                    keep(graph, layer, how, made);
                    attended
                }
            };
            reshape(&attended, apart, query.shape())
        }
    }
}

const PARTS: [&str; 2] = ["key", "value"];

/// Gives the keys and values of decoder layer `layer`, `(texts, tokens, heads · size)`, as outputs of the encoder's graph:
/// `present.{layer}.encoder.key` and `.value`, each `(texts, heads, tokens, size)`.
pub fn keep(graph: &Graph, layer: usize, how: &CrossAttention, keys_and_values: [Tensor; 2]) {
    for (part, x) in PARTS.iter().zip(keys_and_values) {
        if how.check(graph, part, &x) {
            graph.output(&format!("present.{layer}.encoder.{part}"), &split_heads(&x, how.heads));
        }
    }
}
