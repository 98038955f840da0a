//! Weights in the order in which they are read.
//!
//! ONNX Runtime has a matrix row by row: `[rows, blocks, bytes of a block]`, the first of two weights in the lower half of a byte. Here 16 rows
//! lie side by side, 32 bits of each in turn, so that a vector of 16 sums, one for each row, reads all of one cache line after the other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytemuck::Pod;
use half::f16;

use super::pages::{Block, Pages};
use super::{BLOCK, LANES};

/// 32 bits of each of 16 rows: 8 weights of 4 bits, or 4 of 8.
pub(super) type Words = [u32; LANES];

/// One scale for each row and block, in 16 bits where that changes nothing.
pub(super) enum Scales {
    F16(Block<[f16; LANES]>),
    F32(Block<[f32; LANES]>),
}

/// The shape of a matrix in blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) bits: usize,
    pub(super) block: usize,
}

impl Shape {
    /// Whether there is such a matrix: nothing below overflows for one, however large a model says that it is.
    pub(super) fn is_sound(self) -> bool {
        let Self { rows, columns, bits, block } = self;
        let numbers = rows.checked_next_multiple_of(LANES).and_then(|rows| rows.checked_mul(columns));
        let numbers_fit = numbers.is_some_and(|numbers| (1..=isize::MAX as usize / 16).contains(&numbers));
        numbers_fit && [4, 8].contains(&bits) && block.is_power_of_two() && block >= BLOCK && columns.is_multiple_of(block)
    }

    /// Groups of 16 rows, of which the last may have fewer.
    pub(super) fn tiles(self) -> usize {
        self.rows.div_ceil(LANES)
    }

    /// Words of 32 bits in a row.
    pub(super) fn words(self) -> usize {
        self.columns * self.bits / 32
    }

    /// Blocks in a row.
    pub(super) fn blocks(self) -> usize {
        self.columns / self.block
    }

    /// What a weight of zero is stored as.
    pub(super) fn middle(self) -> i32 {
        1 << (self.bits - 1)
    }

    /// Bytes of the zero points of a row: whole bytes.
    fn zero_point_bytes(self) -> usize {
        (self.blocks() * self.bits).div_ceil(8)
    }
}

/// A matrix as `MatMulNBits` has it.
pub(super) struct Stored<'a> {
    pub(super) weights: &'a [u8],
    pub(super) scales: &'a [f32],
    pub(super) zero_points: Option<&'a [u8]>,
}

/// A matrix, 16 rows side by side. Rows that only fill up the last group are zero.
pub(super) struct Packed {
    pub(super) shape: Shape,
    /// `[tiles, words]`
    pub(super) weights: Block<Words>,
    /// `[tiles, blocks]`
    pub(super) scales: Scales,
    /// `[tiles, blocks]`: how far zero points are from the middle; `None` where they all are there.
    pub(super) offsets: Option<Block<[i8; LANES]>>,
}

impl Packed {
    /// Lays a matrix out anew. `parallel` calls what it is given with each number below the first argument, on any thread.
    ///
    /// `None` where the parts do not have the sizes that the shape says, or there is no memory.
    pub(super) fn new(shape: Shape, stored: &Stored<'_>, pages: &Pages, parallel: impl Fn(usize, &(dyn Fn(usize) + Sync))) -> Option<Self> {
        if !shape.is_sound() {
            return None;
        }
        let (tiles, words, blocks) = (shape.tiles(), shape.words(), shape.blocks());
        let fits = stored.weights.len() == shape.rows * words * 4
            && stored.scales.len() == shape.rows * blocks
            && stored.zero_points.is_none_or(|points| points.len() == shape.rows * shape.zero_point_bytes());
        if !fits {
            return None;
        }
        let mut weights = pages.block::<Words>(tiles * words)?;
        let mut halves = pages.block::<[f16; LANES]>(tiles * blocks)?;
        let exact = AtomicBool::new(true);
        {
            let parts: Vec<_> = weights.chunks_mut(words).zip(halves.chunks_mut(blocks)).map(Mutex::new).collect();
            parallel(tiles, &|tile| {
                let Some(part) = parts.get(tile) else { return };
                let mut part = part.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                pack_words(part.0, stored.weights, words, tile);
                if !pack_halves(part.1, stored.scales, blocks, tile) {
                    exact.store(false, Ordering::Relaxed);
                }
            });
        }
        let scales =
            if exact.into_inner() { Scales::F16(halves) } else { Scales::F32(side_by_side(shape, stored.scales, pages, |scale| scale)?) };
        let offset = |point| (i32::from(point) - shape.middle()) as i8;
        let offsets =
            stored.zero_points.map(|points| unpack(shape, points)).filter(|points| points.iter().any(|point| offset(*point) != 0));
        let offsets = match offsets {
            Some(points) => Some(side_by_side(shape, &points, pages, offset)?),
            None => None,
        };
        Some(Self { shape, weights, scales, offsets })
    }
}

fn pack_words(out: &mut [Words], weights: &[u8], words: usize, tile: usize) {
    let rows = weights.chunks_exact(words * 4).skip(tile * LANES).take(LANES);
    for (lane, row) in rows.enumerate() {
        for (to, word) in out.iter_mut().zip(row.as_chunks::<4>().0) {
            to[lane] = u32::from_le_bytes(*word);
        }
    }
}

/// Whether none of them had to be rounded.
fn pack_halves(out: &mut [[f16; LANES]], scales: &[f32], blocks: usize, tile: usize) -> bool {
    let mut exact = true;
    for (lane, row) in scales.chunks_exact(blocks).skip(tile * LANES).take(LANES).enumerate() {
        for (to, scale) in out.iter_mut().zip(row) {
            let half = f16::from_f32(*scale);
            exact &= half.to_f32() == *scale;
            to[lane] = half;
        }
    }
    exact
}

fn side_by_side<T: Copy, U>(shape: Shape, rows: &[T], pages: &Pages, value: impl Fn(T) -> U) -> Option<Block<[U; LANES]>>
where
    [U; LANES]: Pod,
{
    let blocks = shape.blocks();
    let mut out = pages.block::<[U; LANES]>(shape.tiles() * blocks)?;
    for (out, rows) in out.chunks_mut(blocks).zip(rows.chunks(blocks * LANES)) {
        for (lane, row) in rows.chunks_exact(blocks).enumerate() {
            for (to, from) in out.iter_mut().zip(row) {
                to[lane] = value(*from);
            }
        }
    }
    Some(out)
}

/// Zero points, one a byte: in 4 bits there are two in each, and rows begin with whole bytes.
fn unpack(shape: Shape, points: &[u8]) -> Vec<u8> {
    if shape.bits == 8 {
        return points.to_vec();
    }
    let halves = |row: &[u8]| row.iter().flat_map(|byte| [byte & 15, byte >> 4]).take(shape.blocks()).collect::<Vec<_>>();
    points.chunks(shape.zero_point_bytes()).flat_map(halves).collect()
}
