//! Weights in the order in which they are read.
//!
//! ONNX Runtime has a matrix row by row: `[rows, blocks, bytes of a block]`, the first of two weights in the lower half of a byte. Here 16 rows
//! lie side by side, 32 bits of each in turn, so that a vector of 16 sums, one for each row, reads all of one cache line after the other.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytemuck::Pod;
use half::f16;

use super::pages::{Block, Pages};
use super::{BLOCK, LANES};

/// 32 bits of each of 16 rows: 8 weights of 4 bits, or 4 of 8. A cache line.
pub(super) type Words = [u32; LANES];

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

    /// That of so many matrices of this shape, whose groups of 16 rows take turns; `None` where groups would not be whole.
    pub(super) fn stacked(self, matrices: usize) -> Option<Self> {
        let stacked = Self { rows: self.rows.checked_mul(matrices)?, ..self };
        (matrices == 1 || (matrices > 1 && self.rows.is_multiple_of(LANES))).then_some(stacked).filter(|stacked| stacked.is_sound())
    }

    /// Words of 32 bits in a row.
    fn words(self) -> usize {
        self.columns * self.bits / 32
    }

    /// Words of a block.
    pub(super) fn block_words(self) -> usize {
        self.block * self.bits / 32
    }

    /// Lines of a tile: weights, and before those of each one or two blocks their scales.
    pub(super) fn lines(self, halves: bool) -> usize {
        self.words() + self.blocks().div_ceil(if halves { 2 } else { 1 })
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

/// A matrix, or several whose groups of rows take turns, 16 rows side by side. Rows that only fill up the last group are zero.
pub(super) struct Packed {
    pub(super) shape: Shape,
    /// Whether scales have 16 bits, where that changes nothing, or else 32.
    pub(super) halves: bool,
    /// `[tiles, lines]`: a line with the scales of one block, or of two where they have 16 bits, then the weights of these, in one stream.
    pub(super) lines: Block<Words>,
    /// `[tiles, blocks]`: how far zero points are from the middle; `None` where they all are there.
    pub(super) offsets: Option<Block<[i8; LANES]>>,
}

impl Packed {
    /// Lays matrices out anew that all have this shape. `parallel` calls what it is given with each number below the first argument, on any thread.
    ///
    /// `None` where the parts do not have the sizes that the shape says, or there is no memory.
    pub(super) fn new(
        shape: Shape,
        matrices: &[Stored<'_>],
        pages: &Pages,
        parallel: impl Fn(usize, &(dyn Fn(usize) + Sync)),
    ) -> Option<Self> {
        let all = shape.stacked(matrices.len()).filter(|_| shape.is_sound())?;
        let fits = |stored: &Stored<'_>| {
            stored.weights.len() == shape.rows * shape.words() * 4
                && stored.scales.len() == shape.rows * shape.blocks()
                && stored.zero_points.is_none_or(|points| points.len() == shape.rows * shape.zero_point_bytes())
        };
        if !matrices.iter().all(fits) {
            return None;
        }
        let mut scales = matrices.iter().flat_map(|stored| stored.scales);
        let halves = scales.all(|scale| f16::from_f32(*scale).to_f32() == *scale);
        let mut lines = pages.block::<Words>(all.tiles() * shape.lines(halves))?;
        let parts: Vec<_> = lines.chunks_mut(shape.lines(halves)).map(Mutex::new).collect();
        parallel(all.tiles(), &|tile| {
            if let (Some(part), Some(stored)) = (parts.get(tile), matrices.get(tile % matrices.len())) {
                pack(&mut part.lock().unwrap_or_else(PoisonError::into_inner), shape, halves, stored, tile / matrices.len());
            }
        });
        drop(parts);
        let offsets = match zero_points(shape, matrices) {
            Some(points) => Some(side_by_side(all, &points, pages, |point| (i32::from(point) - shape.middle()) as i8)?),
            None => None,
        };
        Some(Self { shape: all, halves, lines, offsets })
    }

    /// Where it lies.
    pub(super) fn addresses(&self) -> Range<usize> {
        let range = self.lines.as_ptr_range();
        range.start.addr()..range.end.addr()
    }
}

/// One group of rows.
fn pack(lines: &mut [Words], shape: Shape, halves: bool, stored: &Stored<'_>, tile: usize) {
    let (words, per_line) = (shape.block_words(), if halves { 2 } else { 1 });
    let weights = stored.weights.chunks_exact(shape.words() * 4).skip(tile * LANES).take(LANES);
    let scales = stored.scales.chunks_exact(shape.blocks()).skip(tile * LANES).take(LANES);
    for (lane, (weights, scales)) in weights.zip(scales).enumerate() {
        // The last line of scales may be for one block only.
        let groups = weights.chunks(words * 4 * per_line).zip(scales.chunks(per_line));
        let groups = lines.chunks_mut(1 + words * per_line).zip(groups);
        for (lines, (weights, scales)) in groups {
            let Some((first, lines)) = lines.split_first_mut() else { continue };
            for (half, scale) in scales.iter().enumerate() {
                if halves {
                    bytemuck::cast_mut::<Words, [[f16; LANES]; 2]>(first)[half][lane] = f16::from_f32(*scale);
                } else {
                    first[lane] = scale.to_bits();
                }
            }
            for (line, word) in lines.iter_mut().zip(weights.as_chunks::<4>().0) {
                line[lane] = u32::from_le_bytes(*word);
            }
        }
    }
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

/// Zero points of all rows, in the order of the groups; `None` where they all are in the middle.
fn zero_points(shape: Shape, matrices: &[Stored<'_>]) -> Option<Vec<u8>> {
    let points = |stored: &Stored<'_>| match stored.zero_points {
        Some(points) => unpack(shape, points),
        None => vec![shape.middle() as u8; shape.rows * shape.blocks()],
    };
    if matrices.iter().all(|stored| stored.zero_points.is_none()) {
        return None;
    }
    let points: Vec<_> = matrices.iter().map(points).collect();
    if points.iter().flatten().all(|point| i32::from(*point) == shape.middle()) {
        return None;
    }
    let group = |tile: usize| points.iter().filter_map(move |points| points.chunks(shape.blocks() * LANES).nth(tile));
    Some((0..shape.tiles()).flat_map(group).flatten().copied().collect())
}

/// Zero points, one a byte: in 4 bits there are two in each, and rows begin with whole bytes.
fn unpack(shape: Shape, points: &[u8]) -> Vec<u8> {
    if shape.bits == 8 {
        return points.to_vec();
    }
    let halves = |row: &[u8]| row.iter().flat_map(|byte| [byte & 15, byte >> 4]).take(shape.blocks()).collect::<Vec<_>>();
    points.chunks(shape.zero_point_bytes()).flat_map(halves).collect()
}
