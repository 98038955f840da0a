//! Integers of a checkpoint in the blocks of `MatMulNBits`.

use rayon::prelude::*;

use super::{Bits, Packing, Unpacked, n_bits::pack};
use crate::parallel;

/// The tensors of `MatMulNBits`.
pub(crate) struct Blocked {
    /// `[rows, blocks, block bytes]`
    pub(crate) values: Vec<u8>,
    /// `[rows, blocks]`
    pub(crate) scales: Vec<f32>,
    /// `[rows, bytes of the blocks' zero points]`
    pub(crate) zero_points: Vec<u8>,
}

/// What of an integer a product has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Upper,
    Lower,
}

impl Part {
    fn of(self, integer: u8) -> u8 {
        match self {
            Self::Whole => integer,
            Self::Upper => integer >> 4,
            Self::Lower => integer & 0xf,
        }
    }

    /// What a step of this part is, in steps of the whole.
    fn step(self) -> f32 {
        if self == Self::Upper { 16.0 } else { 1.0 }
    }
}

impl Unpacked {
    /// In blocks of a row, with columns in this order, in which each block lies within one group.
    pub(crate) fn blocked(&self, block: usize, order: Option<&[usize]>) -> Blocked {
        self.parts(Part::Whole, self.packing.stored_bits(), block, order)
    }

    /// The same of 8 bits as two matrices of 4 bits, whose sum they are: `16 (upper - its zero point) + (lower - its zero point)`.
    pub(crate) fn halves(&self, block: usize, order: Option<&[usize]>) -> [Blocked; 2] {
        [Part::Upper, Part::Lower].map(|part| self.parts(part, Bits::Four, block, order))
    }

    fn parts(&self, part: Part, bits: Bits, block: usize, order: Option<&[usize]>) -> Blocked {
        let Packing { rows, columns, .. } = self.packing;
        let packed = |n: usize| (n * bits.count()).div_ceil(8);
        let blocks = columns.div_ceil(block);
        let (values_len, zeros_len) = (blocks * packed(block), packed(blocks));
        let mut made =
            Blocked { values: vec![0; rows * values_len], scales: vec![0.0; rows * blocks], zero_points: vec![0; rows * zeros_len] };
        let column = |i: usize| order.map_or(i, |order| order.get(i).copied().unwrap_or_default());
        let lines = made.values.par_chunks_mut(values_len.max(1)).zip(made.scales.par_chunks_mut(blocks.max(1)));
        let lines = lines.zip(made.zero_points.par_chunks_mut(zeros_len.max(1))).zip(self.levels.par_chunks(columns.max(1)));
        let fill = || {
            lines.enumerate().for_each(|(row, (((values, scales), zero_points), levels))| {
                let mut ordered: Vec<u8> = (0..columns).map(|i| part.of(levels.get(column(i)).copied().unwrap_or_default())).collect();
                ordered.resize(blocks * block, 0);
                pack(bits, &ordered, values);
                let mut zeros = Vec::with_capacity(blocks + 1);
                for (i, scale) in scales.iter_mut().enumerate() {
                    let (exact, zero) = self.grid(row, self.groups.get(column(i * block)).copied().unwrap_or_default());
                    *scale = exact * part.step();
                    zeros.push(part.of(zero));
                }
                zeros.resize(blocks.next_multiple_of(2), 0);
                pack(bits, &zeros, zero_points);
            })
        };
        parallel(fill);
        made
    }
}
