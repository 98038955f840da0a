//! What a run tells a graph besides the cache, by the names that exports have for it.

use ndarray::{Array1, Array2, ArrayD, IxDyn};

use crate::model::Padding;
use crate::session::{Dim, Port, Value};
use crate::{Error, Result};

/// Tokens that follow others.
pub(super) struct Tokens<'t> {
    /// Those of each row.
    pub(super) rows: &'t [&'t [u32]],
    /// How many each row has already,
    pub(super) lengths: &'t [usize],
    /// and how many places the cache has for them.
    pub(super) past: usize,
    /// Where the rest of those places is, and where shorter rows of this run are filled up.
    pub(super) padding: Padding,
    /// Logits are wanted for so many places at the end.
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

impl Tokens<'_> {
    /// The tokens of the row that has most.
    pub(super) fn width(&self) -> usize {
        self.rows.iter().map(|row| row.len()).max().unwrap_or(0)
    }

    /// The value of an input; `None` for one that says nothing about tokens.
    pub(super) fn value(&self, port: &Port) -> Result<Option<Value>> {
        let (width, total) = (self.width(), self.past + self.width());
        let by_place =
            |each: &dyn Fn(usize, usize) -> i64| Array2::from_shape_fn((self.rows.len(), width), |(row, place)| each(row, place));
        Ok(Some(match port.name.as_str() {
            "input_ids" | "decoder_input_ids" => by_place(&|row, place| self.token(row, place)).into(),
            "attention_mask" | "decoder_attention_mask" => {
                Array2::from_shape_fn((self.rows.len(), total), |(row, place)| i64::from(self.is_token(row, place, total))).into()
            }
            "position_ids" | "decoder_position_ids" => self.positions(port)?,
            "cache_position" => (self.past..total).map(|place| place as i64).collect::<Array1<i64>>().into(),
            "token_type_ids" => by_place(&|_, _| 0).into(),
            "use_cache_branch" => shaped(port, i64::from(self.past > 0)),
            "num_logits_to_keep" | "logits_to_keep" => shaped(port, self.keep as i64),
            "past_sequence_length" => shaped(port, self.past as i64),
            "total_sequence_length" => shaped(port, total as i64),
            _ => return Ok(None),
        }))
    }

    /// How many places of this run come before a row's first token.
    pub(super) fn lead(&self, row: usize) -> usize {
        if self.padding == Padding::Left { self.width() - self.rows.get(row).map_or(0, |tokens| tokens.len()) } else { 0 }
    }

    /// A token at a place of this run; any will do where nothing looks.
    fn token(&self, row: usize, place: usize) -> i64 {
        let token = place.checked_sub(self.lead(row)).and_then(|place| self.rows.get(row)?.get(place));
        token.map_or(0, |token| i64::from(*token))
    }

    /// Whether a place of all so far has a token.
    fn is_token(&self, row: usize, place: usize, total: usize) -> bool {
        let has = self.lengths.get(row).copied().unwrap_or(0) + self.rows.get(row).map_or(0, |tokens| tokens.len());
        if self.padding == Padding::Left { place + has >= total } else { place < has }
    }

    /// `(rows, tokens)`; with an axis in front, or without the rows, where the graph has it so.
    fn positions(&self, port: &Port) -> Result<Value> {
        let (rows, width) = (self.rows.len(), self.width());
        let shape = match port.shape.as_slice() {
            [_] => vec![width],
            [] | [_, _] => vec![rows, width],
            [Dim::Fixed(kinds), _, _] => vec![*kinds, rows, width],
            // Of time, height and width, which are all the same for texts.
            [_, _, _] => vec![3, rows, width],
            _ => return Err(Error::unsupported(format!("input `{port}`: positions of such a shape"))),
        };
        let axes = shape.len();
        let position = |row: usize, place: usize| (self.lengths.get(row).copied().unwrap_or(0) + place).saturating_sub(self.lead(row));
        let at = |place: IxDyn| position(if axes < 2 { 0 } else { place[axes - 2] }, place[axes - 1]) as i64;
        Ok(ArrayD::from_shape_fn(IxDyn(&shape), at).into())
    }
}

/// One number, in as many dimensions as the graph has it.
fn shaped(port: &Port, number: i64) -> Value {
    ArrayD::from_elem(IxDyn(&vec![1; port.shape.len()]), number).into()
}
