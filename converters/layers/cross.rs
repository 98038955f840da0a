//! Attention of a decoder to the text that an encoder has read.

use super::{
    Decoding,
    attention::{scale as usual_scale, split_heads},
};
use crate::{
    Dtype, Error,
    graph::{Attributes, Dim, Graph, Tensor},
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
    Run { together: Tensor, apart: Tensor },
    /// The encoder is in the same graph, and has one text for each row; its hidden states.
    Graph(Tensor),
}

impl Source {
    /// Of an encoder that ran before: declares `encoder_attention_mask`, `(texts, tokens)`; each attention declares its keys and values.
    ///
    /// `width` is that of all heads' queries together.
    pub fn kept(decoding: &Decoding, width: usize) -> Self {
        let graph = decoding.input_ids.graph();
        let mask = graph.input("encoder_attention_mask", Dtype::I64, &[Dim::from(TEXTS), Dim::from(TOKENS)]);
        let shape = |rows: Tensor| graph.size(&[rows.into(), (-1i64).into(), width.into()]);
        let encoder = Encoder::Run { together: shape(mask.dim(0)), apart: shape(decoding.input_ids.dim(0)) };
        Self { graph: graph.clone(), mask: mask.cast(Dtype::I32), encoder }
    }

    /// Of an encoder in the same graph: its hidden states, `(batch, tokens, width)`, and which tokens are no padding, `(batch, tokens)`.
    pub fn of(hidden: &Tensor, attention_mask: &Tensor) -> Self {
        Self { graph: hidden.graph().clone(), mask: attention_mask.cast(Dtype::I32), encoder: Encoder::Graph(hidden.clone()) }
    }
}

/// The names of the number of texts and of their width.
const TEXTS: &str = "encoder_batch_size";
const TOKENS: &str = "encoder_sequence_length";

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
    let attend = |query: &Tensor, key: &Tensor, value: &Tensor| {
        let inputs = [Some(query), Some(key), Some(value), None, Some(&source.mask)];
        graph.op("MultiHeadAttention", "com.microsoft", &inputs, attributes, &[(query.dtype(), query.shape())]).swap_remove(0)
    };
    match &source.encoder {
        Encoder::Graph(hidden) => {
            let [key, value] = project(hidden);
            if how.check(graph, "key", &key) && how.check(graph, "value", &value) { attend(query, &key, &value) } else { query.clone() }
        }
        Encoder::Run { together, apart } => {
            let shape = [Dim::from(TEXTS), how.heads.into(), Dim::from(TOKENS), how.size.into()];
            let [key, value] = PARTS.map(|part| graph.input(&format!("past_key_values.{layer}.encoder.{part}"), graph.float(), &shape));
            // All queries to a text are rows of one product, whichever beam they are of: its keys are read once, and never copied.
            let reshape = |x: &Tensor, to: &Tensor, shape: Vec<Dim>| {
                graph.op("Reshape", "", &[Some(x), Some(to)], Attributes::new(), &[(x.dtype(), shape)]).swap_remove(0)
            };
            let queries = reshape(query, together, vec![Dim::from(TEXTS), Dim::Unknown, query.fixed(-1).into()]);
            reshape(&attend(&queries, &key, &value), apart, query.shape())
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
