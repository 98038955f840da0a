//! The inputs that graphs declare, by Optimum's names.

use formers_converters::{
    Dtype, Weights,
    graph::{Dim, Graph, Tensor},
};
use serde::Deserialize;

/// The inputs of a text encoder, each `(batch, sequence)`.
pub(crate) struct Text {
    pub(crate) input_ids: Tensor,
    pub(crate) attention_mask: Tensor,
    token_type_ids: Option<Tensor>,
}

impl Text {
    /// `input_ids` and `attention_mask`.
    pub(crate) fn new(graph: &Graph) -> Self {
        Self { input_ids: ids(graph, "input_ids"), attention_mask: ids(graph, "attention_mask"), token_type_ids: None }
    }

    /// A text whose inputs are declared already.
    pub(crate) fn of(input_ids: &Tensor, attention_mask: &Tensor) -> Self {
        Self { input_ids: input_ids.clone(), attention_mask: attention_mask.clone(), token_type_ids: None }
    }

    /// `input_ids`, `attention_mask` and `token_type_ids`.
    pub(crate) fn with_token_types(graph: &Graph) -> Self {
        let text = Self::new(graph);
        Self { token_type_ids: Some(ids(graph, "token_type_ids")), ..text }
    }

    /// The token types: zeros where the graph has no such input.
    pub(crate) fn token_types(&self) -> Tensor {
        self.token_type_ids.clone().unwrap_or_else(|| {
            let zero = self.input_ids.scalar(0.0);
            &self.input_ids * zero
        })
    }

    /// The first rows of a table of positions, `weight` `[positions, width]`: one for each token of a sequence.
    pub(crate) fn positions(&self, table: &Weights) -> Tensor {
        table.any("weight", 2).slice_steps(0, &0i64.into(), &self.length().into(), 1)
    }

    /// Positions that count the tokens which are not padding, from `padding + 1` on; those of padding are `padding`.
    pub(crate) fn positions_after(&self, padding: i64) -> Tensor {
        let padding = self.input_ids.graph().ints(&[], &[padding]);
        let counts = self.input_ids.equal(&padding).not().cast(Dtype::I64);
        counts.cumsum(1) * counts + padding
    }

    /// 1 for a token and 0 for padding, `(batch, sequence, 1)`.
    pub(crate) fn token_mask(&self) -> Tensor {
        self.attention_mask.cast(self.attention_mask.graph().float()).unsqueeze(&[2])
    }

    /// The length of the sequences, as a one-element tensor.
    pub(crate) fn length(&self) -> Tensor {
        self.input_ids.dim(1)
    }
}

/// One length for both sides of a picture, or height and width.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum Sides {
    One(usize),
    Both([usize; 2]),
}

impl Sides {
    /// Height and width.
    pub(crate) fn both(self) -> (usize, usize) {
        match self {
            Self::One(side) => (side, side),
            Self::Both([height, width]) => (height, width),
        }
    }
}

/// `pixel_values`, `(batch, channels, height, width)`: pictures of one size, for models whose positions are learned for it.
pub(crate) fn pixel_values(graph: &Graph, channels: usize, sides: Sides) -> Tensor {
    let (height, width) = sides.both();
    let shape = [Dim::from("batch_size"), channels.into(), height.into(), width.into()];
    graph.input("pixel_values", graph.float(), &shape)
}

/// `(batch, sequence)`, of whole numbers.
pub(crate) fn ids(graph: &Graph, name: &str) -> Tensor {
    graph.input(name, Dtype::I64, &[Dim::from("batch_size"), Dim::from("sequence_length")])
}
