//! Rotary positions (<https://arxiv.org/abs/2104.09864>): components of queries and keys turn by pairs, by an angle that grows with the position.

use super::rope::{Beyond, Frequencies};
use crate::{
    Dtype, Error,
    graph::{Attributes, Graph, Tensor},
    layers::attention::DOMAIN,
};

/// The name of the operator that [`Rotary::of`] emits.
pub(crate) const OP: &str = "RotaryEmbedding";

/// The rotations of one graph: their cosines and sines are computed once, from the positions, and every layer uses them.
#[derive(Clone)]
pub struct Rotary {
    /// `(rows, rotary size / 2)`
    cos: Tensor,
    /// `(rows, rotary size / 2)`
    sin: Tensor,
    /// The row of each token: `(batch, sequence)`, or the single 0 where row and place are the same.
    rows: Tensor,
    pairs: Pairs,
}

/// Which components make a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// The first with the first of the second half, and so on (`rotate_half`).
    Halves,
    /// Each even one with the one after it (`rotate_every_two`).
    Neighbours,
}

impl Rotary {
    /// Positions 0, 1, … up to `length`, a one-element tensor: the same for all sequences.
    pub fn for_length(frequencies: &Frequencies, length: &Tensor, pairs: Pairs) -> Self {
        let graph = length.graph();
        let (cos, sin) = table(frequencies, &graph.range(length), length);
        Self { cos, sin, rows: graph.ints(&[1], &[0]), pairs }
    }

    /// Positions of each token, `(batch, sequence)`: for sequences that continue at different places.
    pub fn for_positions(frequencies: &Frequencies, positions: &Tensor, pairs: Pairs) -> Self {
        let graph = positions.graph();
        let length = positions.reduce_max(&[0, 1], false).reshape(&[1i64.into()]) + graph.ints(&[1], &[1]);
        let each = positions.reshape(&[(-1i64).into()]);
        let (cos, sin) = table(frequencies, &each, &length);
        let rows = graph.range(&each.dim(0)).reshape(&[positions.dim(0).into(), positions.dim(1).into()]);
        Self { cos, sin, rows, pairs }
    }

    /// Cosines and sines that a checkpoint stores, `(positions, rotary size / 2)`, from position 0 on.
    pub fn stored(cos: &Tensor, sin: &Tensor, pairs: Pairs) -> Self {
        Self { cos: cos.clone(), sin: sin.clone(), rows: cos.graph().ints(&[1], &[0]), pairs }
    }

    /// `x`, `(batch, sequence, heads · size)`, turned. Where fewer components turn than a head has, they are its first.
    pub fn of(&self, x: &Tensor, heads: usize) -> Tensor {
        let (width, turning) = (x.fixed(-1), 2 * self.cos.fixed(-1));
        if heads == 0 || !width.is_multiple_of(heads) || width / heads < turning {
            let problem = format!("a width of {width} cannot be divided among {heads} heads of which {turning} components turn");
            x.graph().fail(Error::config(problem));
            return x.clone();
        }
        let attributes = Attributes::new()
            .with("num_heads", heads)
            .with("interleaved", i64::from(self.pairs == Pairs::Neighbours))
            .with("rotary_embedding_dim", if turning == width / heads { 0 } else { turning });
        let inputs = [Some(x), Some(&self.rows), Some(&self.cos), Some(&self.sin)];
        let mut outputs = x.graph().op(OP, DOMAIN, &inputs, attributes, &[(x.dtype(), x.shape())]);
        outputs.swap_remove(0)
    }
}

/// Cosines and sines of positions `(rows)`, in sequences of this length.
fn table(frequencies: &Frequencies, positions: &Tensor, length: &Tensor) -> (Tensor, Tensor) {
    let graph = positions.graph();
    let angles = positions.cast(Dtype::F32).unsqueeze(&[1]) * inverse(graph, frequencies, length);
    let scaled = |x: Tensor| if frequencies.attention_factor == 1.0 { x } else { x * frequencies.attention_factor };
    (scaled(angles.cos()).cast(graph.float()), scaled(angles.sin()).cast(graph.float()))
}

/// The frequencies for sequences of this length, `(rotary size / 2)`.
fn inverse(graph: &Graph, frequencies: &Frequencies, length: &Tensor) -> Tensor {
    let row = |values: &[f32]| graph.constant(Dtype::F32, &[values.len()], bytemuck::cast_slice(values).to_vec());
    let usual = row(&frequencies.inverse);
    let long = |original: usize| length.greater(&graph.ints(&[1], &[i64::try_from(original).unwrap_or(i64::MAX)]));
    match &frequencies.beyond {
        Beyond::Same => usual,
        Beyond::Long { original, inverse } => long(*original).select(&row(inverse), &usual),
        Beyond::Dynamic { original, factor, base, power, exponents } => {
            let growth = length.cast(Dtype::F32) * (factor / (*original).max(1) as f32) - (factor - 1.0);
            let base = growth.max(&growth.scalar(1.0)).pow(*power) * *base;
            let grown = (base.log() * row(exponents)).exp();
            long(*original).select(&(1.0 / grown), &usual)
        }
    }
}
