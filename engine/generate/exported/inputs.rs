//! What a run tells a graph besides the cache, by the names that exports have for it.

use ndarray::{Array1, Array2, ArrayD, IxDyn};

use crate::session::{Dim, Port, Value};
use crate::{Error, Result};

/// Tokens that follow others, the same number in each row.
pub(super) struct Tokens {
    /// `(rows, tokens)`
    pub(super) ids: Array2<i64>,
    /// How many the cache has of each row.
    pub(super) past: usize,
    /// Logits are wanted for so many tokens at the end of each row.
    pub(super) keep: usize,
}

/// Names of inputs that [`Tokens::value`] fills.
const NAMES: &[&str] = &[
    "input_ids",
    "decoder_input_ids",
    "attention_mask",
    "decoder_attention_mask",
    "position_ids",
    "decoder_position_ids",
    "cache_position",
    "token_type_ids",
    "use_cache_branch",
    "num_logits_to_keep",
    "logits_to_keep",
    "past_sequence_length",
    "total_sequence_length",
];

/// Whether [`Tokens::value`] fills an input.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Tokens {
    pub(super) fn new(rows: &[&[u32]], past: usize, keep: usize) -> Self {
        let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let mut ids = Array2::zeros((rows.len(), width));
        for (mut ids, row) in ids.rows_mut().into_iter().zip(rows) {
            ids.iter_mut().zip(*row).for_each(|(id, token)| *id = i64::from(*token));
        }
        Self { ids, past, keep }
    }

    fn total(&self) -> usize {
        self.past + self.ids.ncols()
    }

    /// The value of an input; `None` for one that says nothing about tokens.
    pub(super) fn value(&self, port: &Port) -> Result<Option<Value>> {
        let (rows, width) = self.ids.dim();
        let positions = || (self.past..self.total()).map(|place| place as i64);
        Ok(Some(match port.name.as_str() {
            "input_ids" | "decoder_input_ids" => self.ids.clone().into(),
            // Nothing is padded.
            "attention_mask" | "decoder_attention_mask" => Array2::<i64>::ones((rows, self.total())).into(),
            "position_ids" | "decoder_position_ids" => self.positions(port)?,
            "cache_position" => positions().collect::<Array1<i64>>().into(),
            "token_type_ids" => Array2::<i64>::zeros((rows, width)).into(),
            "use_cache_branch" => shaped(port, i64::from(self.past > 0)),
            "num_logits_to_keep" | "logits_to_keep" => shaped(port, self.keep as i64),
            "past_sequence_length" => shaped(port, self.past as i64),
            "total_sequence_length" => shaped(port, self.total() as i64),
            _ => return Ok(None),
        }))
    }

    /// `(rows, tokens)`; with an axis in front, or without the rows, where the graph has it so.
    fn positions(&self, port: &Port) -> Result<Value> {
        let (rows, width) = self.ids.dim();
        let shape = match port.shape.as_slice() {
            [_] => vec![width],
            [] | [_, _] => vec![rows, width],
            [Dim::Fixed(kinds), _, _] => vec![*kinds, rows, width],
            _ => return Err(Error::unsupported(format!("input `{port}`: positions of such a shape"))),
        };
        let past = self.past;
        Ok(ArrayD::from_shape_fn(IxDyn(&shape), |place| (past + place[shape.len() - 1]) as i64).into())
    }
}

/// One number, in as many dimensions as the graph has it.
fn shaped(port: &Port, number: i64) -> Value {
    ArrayD::from_elem(IxDyn(&vec![1; port.shape.len()]), number).into()
}
