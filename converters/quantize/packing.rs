//! Linear layers of quantized checkpoints: where their integers lie, and what numbers they stand for.

use rayon::prelude::*;

use super::{Bits, n_bits::middle};
use crate::parallel;

/// How a checkpoint lays out the integers of a linear layer, several to a word of 32 bits or one to a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// GPTQ: a stream of bits down the columns, `[columns · bits / 32, rows]`; zero points `[groups, rows · bits / 32]`, scales
    /// `[groups, rows]`.
    Gptq,
    /// AWQ: eight rows to a word, `[columns, rows / 8]`, in the order 0 2 4 6 1 3 5 7; zero points `[groups, rows / 8]`, scales as GPTQ's.
    Awq,
    /// compressed-tensors: whole integers of a row, `[rows, words]`; zero points `[words, groups]`, scales `[rows, groups]`.
    Rows,
    /// A signed byte each, `[rows, columns]`; zero points and scales `[rows, groups]`.
    Bytes,
    /// An 8-bit float each, `[rows, columns]`; scales `[rows, groups]`.
    Floats,
    /// AWQ's `gemv`: integers as [`Layout::Rows`] has them, `[rows, columns / 8]`; zero points `[rows, words]`, eight groups to a word, and
    /// scales `[rows, words · 8]`, both longer than the groups are many.
    Gemv,
    /// 4-bit floats of 2 exponent bits and 1 mantissa bit, two to a byte, the lower half first, `[rows, columns / 2]`; scales `[rows, groups]`.
    /// Twice such a float is an integer, so that `bits` are those of one: 8.
    HalfSteps,
}

impl Layout {
    const ALL: [Self; 7] = [Self::Gptq, Self::Awq, Self::Rows, Self::Bytes, Self::Floats, Self::Gemv, Self::HalfSteps];

    /// A number that stands for this layout in a graph.
    pub(crate) fn number(self) -> usize {
        Self::ALL.iter().position(|other| *other == self).unwrap_or_default()
    }

    /// The layout of a number.
    pub(crate) fn of_number(number: usize) -> Option<Self> {
        Self::ALL.get(number).copied()
    }
}

/// The integers of a linear layer with weights `[rows, columns]`: a weight is `scale · (integer - zero point)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    pub(crate) layout: Layout,
    /// Of an integer.
    pub(crate) bits: usize,
    /// Outputs.
    pub(crate) rows: usize,
    /// Inputs.
    pub(crate) columns: usize,
    /// Columns that share a scale.
    pub(crate) group: usize,
    /// Rows that share a scale.
    pub(crate) row_group: usize,
    /// What zero points lack: GPTQ's first format stores them less one.
    pub(crate) zero_offset: usize,
}

/// The numbers behind a packing.
pub(crate) struct Unpacked {
    pub(super) packing: Packing,
    /// The integers, each in a byte; of [`Layout::Floats`] the bytes themselves.
    pub(super) levels: Vec<u8>,
    /// `[scale rows, groups]`
    scales: Vec<f32>,
    /// As `scales`.
    zeros: Vec<u8>,
    /// The group of each column.
    pub(super) groups: Vec<usize>,
}

/// The place of each of eight rows in a word of AWQ.
const AWQ_PLACES: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Twice the 4-bit floats of 2 exponent bits and 1 mantissa bit, by the bits below the sign.
const HALF_STEPS: [u8; 8] = [0, 1, 2, 3, 4, 6, 8, 12];

/// Rows that are unpacked together: they lie side by side in the layouts that go down the columns.
const TILE: usize = 64;

impl Packing {
    /// Groups of columns.
    pub(crate) fn groups(&self) -> usize {
        self.columns.div_ceil(self.group.max(1))
    }

    /// The group of each column by its place.
    pub(crate) fn places(&self) -> Vec<usize> {
        (0..self.columns).map(|column| column / self.group.max(1)).collect()
    }

    /// Groups of rows.
    pub(crate) fn scale_rows(&self) -> usize {
        self.rows.div_ceil(self.row_group.max(1))
    }

    /// Bits of `MatMulNBits` that hold these.
    pub(crate) fn stored_bits(&self) -> Bits {
        if self.bits <= 4 { Bits::Four } else { Bits::Eight }
    }

    /// The shape of the integers as they are stored.
    pub(crate) fn values_shape(&self) -> [usize; 2] {
        let Self { bits, rows, columns, .. } = *self;
        match self.layout {
            Layout::Gptq => [(columns * bits).div_ceil(32), rows],
            Layout::Awq => [columns, (rows * bits).div_ceil(32)],
            Layout::Rows | Layout::Gemv => [rows, columns.div_ceil(32 / bits.max(1))],
            Layout::Bytes | Layout::Floats => [rows, columns],
            Layout::HalfSteps => [rows, columns.div_ceil(2)],
        }
    }

    /// The shape of the scales as they are stored.
    pub(crate) fn scales_shape(&self) -> [usize; 2] {
        match self.layout {
            Layout::Gptq | Layout::Awq => [self.groups(), self.rows],
            Layout::Gemv => [self.rows, 8 * self.gemv_words()],
            _ => [self.scale_rows(), self.groups()],
        }
    }

    /// Words of a row's zero points for AWQ's `gemv`, which reads as many at once as make up for small groups.
    fn gemv_words(&self) -> usize {
        let together = match self.group {
            64 => 2,
            32 => 4,
            _ => 1,
        };
        self.groups().div_ceil(8).next_multiple_of(together)
    }

    /// The shape of the zero points as they are stored.
    pub(crate) fn zeros_shape(&self) -> [usize; 2] {
        let Self { bits, rows, .. } = *self;
        match self.layout {
            Layout::Gptq | Layout::Awq => [self.groups(), (rows * bits).div_ceil(32)],
            Layout::Rows => [rows.div_ceil(32 / bits.max(1)), self.groups()],
            Layout::Gemv => [rows, self.gemv_words()],
            Layout::Bytes | Layout::Floats | Layout::HalfSteps => [self.scale_rows(), self.groups()],
        }
    }

    /// The integer of a place.
    fn level(&self, bytes: &[u8], row: usize, column: usize) -> u8 {
        let [_, width] = self.values_shape();
        match self.layout {
            Layout::Gptq => stream(bytes, column * self.bits, self.bits, |word| word * width + row),
            Layout::Awq => self.awq(bytes, column * width, row),
            Layout::Rows | Layout::Gemv => self.whole(bytes, column, |word| row * width + word),
            Layout::Bytes => bytes.get(row * width + column).map_or(0, |byte| byte ^ 0x80),
            Layout::HalfSteps => {
                let pair = bytes.get(row * width + column / 2).copied().unwrap_or(0);
                let float = if column.is_multiple_of(2) { pair & 0xf } else { pair >> 4 };
                let steps = HALF_STEPS.get(usize::from(float & 7)).copied().unwrap_or(0);
                if float < 8 { middle(8) + steps } else { middle(8) - steps }
            }
            Layout::Floats => bytes.get(row * width + column).copied().unwrap_or(0),
        }
    }

    /// The zero point of a place in `[scale rows, groups]`.
    fn zero(&self, bytes: &[u8], row: usize, group: usize) -> u8 {
        let [_, width] = self.zeros_shape();
        let stored = match self.layout {
            Layout::Gptq => stream(bytes, row * self.bits, self.bits, |word| group * width + word),
            Layout::Awq => self.awq(bytes, group * width, row),
            Layout::Rows => self.whole(bytes, row, |word| word * width + group),
            Layout::Gemv => self.whole(bytes, group, |word| row * width + word),
            Layout::Bytes | Layout::Floats | Layout::HalfSteps => bytes.get(row * width + group).map_or(0, |byte| byte ^ 0x80),
        };
        (usize::from(stored) + self.zero_offset) as u8 & mask(self.bits)
    }

    /// Whether all zero points are in the middle, where `MatMulNBits` has them if nothing is said.
    pub(crate) fn is_symmetric(&self, zeros: Option<&[u8]>) -> bool {
        let middle_stored = middle(self.stored_bits().count());
        let Some(zeros) = zeros else { return middle(self.bits) == middle_stored };
        (0..self.scale_rows()).all(|row| (0..self.groups()).all(|group| self.zero(zeros, row, group) == middle_stored))
    }

    fn awq(&self, bytes: &[u8], line: usize, row: usize) -> u8 {
        let place = AWQ_PLACES.get(row % 8).copied().unwrap_or_default();
        (word(bytes, line + row / 8) >> (4 * place)) as u8 & mask(4)
    }

    /// Integers that no word boundary divides.
    fn whole(&self, bytes: &[u8], index: usize, place: impl Fn(usize) -> usize) -> u8 {
        let each = 32 / self.bits.max(1);
        (word(bytes, place(index / each)) >> (index % each * self.bits)) as u8 & mask(self.bits)
    }

    /// Reads what a checkpoint has: integers, scales in their stored order, and zero points; `groups` has the group of each column.
    pub(crate) fn unpack(self, values: &[u8], scales: &[f32], zeros: Option<&[u8]>, groups: Vec<usize>) -> Unpacked {
        let mut levels = vec![0u8; self.rows * self.columns];
        let fill = |(tile, levels): (usize, &mut [u8])| {
            for column in 0..self.columns {
                for (row, line) in (tile * TILE..).zip(levels.chunks_mut(self.columns.max(1))) {
                    if let Some(level) = line.get_mut(column) {
                        *level = self.level(values, row, column);
                    }
                }
            }
        };
        parallel(|| levels.par_chunks_mut((TILE * self.columns).max(1)).enumerate().for_each(fill));
        let (lines, width, [_, stored]) = (self.scale_rows(), self.groups(), self.scales_shape());
        let places = || (0..lines).flat_map(|row| (0..width).map(move |group| (row, group)));
        let by_group = matches!(self.layout, Layout::Gptq | Layout::Awq);
        let scale = |(row, group): (usize, usize)| {
            let place = if by_group { group * stored + row } else { row * stored + group };
            scales.get(place).copied().unwrap_or(0.0)
        };
        let zero = |(row, group)| zeros.map_or_else(|| middle(self.bits), |zeros| self.zero(zeros, row, group));
        Unpacked { packing: self, levels, scales: places().map(scale).collect(), zeros: places().map(zero).collect(), groups }
    }
}

impl Unpacked {
    /// The scale and the zero point of a row's group.
    pub(super) fn grid(&self, row: usize, group: usize) -> (f32, u8) {
        let place = row / self.packing.row_group.max(1) * self.packing.groups() + group;
        (self.scales.get(place).copied().unwrap_or(0.0), self.zeros.get(place).copied().unwrap_or(0))
    }

    /// The weights, `[rows, columns]`; `float` is what a byte of [`Layout::Floats`] stands for.
    pub(crate) fn dense(&self, float: impl Fn(u8) -> f32 + Sync) -> Vec<f32> {
        let columns = self.packing.columns.max(1);
        let is_float = self.packing.layout == Layout::Floats;
        let mut weights = vec![0.0; self.levels.len()];
        let fill = |(row, (weights, levels)): (usize, (&mut [f32], &[u8]))| {
            for ((weight, &level), &group) in weights.iter_mut().zip(levels).zip(&self.groups) {
                let (scale, zero) = self.grid(row, group);
                *weight = if is_float { scale * float(level) } else { scale * (f32::from(level) - f32::from(zero)) };
            }
        };
        parallel(|| weights.par_chunks_mut(columns).zip(self.levels.par_chunks(columns)).enumerate().for_each(fill));
        weights
    }
}

fn mask(bits: usize) -> u8 {
    if bits >= 8 { u8::MAX } else { (1 << bits) - 1 }
}

/// A little-endian word.
fn word(bytes: &[u8], index: usize) -> u32 {
    let found = index.checked_mul(4).and_then(|at| bytes.get(at..at + 4)).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    found.map_or(0, u32::from_le_bytes)
}

/// An integer from a stream of bits, whose words lie at `place`.
fn stream(bytes: &[u8], bit: usize, bits: usize, place: impl Fn(usize) -> usize) -> u8 {
    let (at, shift) = (bit / 32, bit % 32);
    let low = word(bytes, place(at)) >> shift;
    let high = if shift + bits > 32 { word(bytes, place(at + 1)) << (32 - shift) } else { 0 };
    (low | high) as u8 & mask(bits)
}
