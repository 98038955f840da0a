//! Products with AVX-512 and its instructions for neural networks (VNNI): a step multiplies four pairs of 8-bit numbers in each of 16 lanes.

#![allow(unsafe_code)]

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{product, quantize, usable};

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn usable() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn quantize(_: &[f32], _: usize, _: super::activations::Row<'_>) {}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn product(_: &super::packed::Packed, _: &super::activations::Activations, _: Option<&[f32]>, _: Range<usize>, _: Output) {}

/// Where results go: `[rows of activations, rows of weights]`, of which each thread writes columns of its own.
#[derive(Clone, Copy)]
pub(super) struct Output {
    start: *mut f32,
    length: usize,
}

// SAFETY: it is only written to in `product`, whose callers give each thread columns of its own.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

impl Output {
    pub(super) fn new(values: &mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), length: values.len() }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::{Output, Range};
    use crate::session::kernels::{
        BLOCK, LANES,
        activations::{Activations, Row},
        packed::Packed,
    };

    /// A chunk of so many rows of activations stays in the second cache while the weights pass.
    const CHUNK: usize = 128;
    /// Weights are asked for so many cache lines ahead, into the first cache and, further, into the second: processors by themselves do not
    /// look over the end of a page, and less far than memory needs to be always busy.
    const AHEAD: usize = 16;
    const FAR_AHEAD: usize = 256;

    /// Whether this processor has the instructions.
    pub(in super::super) fn usable() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
    }

    /// Rounds a row to 8 bits. With 4-bit weights each group of eight has the even places first, as those weights lie in the lower halves of bytes.
    pub(in super::super) fn quantize(values: &[f32], bits: usize, row: Row<'_>) {
        assert!(
            usable()
                && values.len() == row.values.len()
                && [row.scales.len(), row.sums.len(), row.starts.len()] == [values.len() / BLOCK; 3]
        );
        let blocks = values.as_chunks::<BLOCK>().0.iter().zip(row.values.as_chunks_mut::<BLOCK>().0);
        for (((from, to), scale), (sum, start)) in blocks.zip(row.scales).zip(row.sums.iter_mut().zip(row.starts)) {
            // SAFETY: the processor has the instructions.
            (*scale, *sum) = unsafe { quantize_block(from, bits == 4, to) };
            *start = -(*sum << (bits - 1));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn quantize_block(from: &[f32; BLOCK], even_first: bool, to: &mut [i8; BLOCK]) -> (f32, i32) {
        let in_turn = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let order = if even_first { _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15) } else { in_turn };
        // SAFETY: both halves of the block are in bounds.
        let (low, high) = unsafe { (_mm512_loadu_ps(from.as_ptr()), _mm512_loadu_ps(from.as_ptr().add(LANES))) };
        let most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
        let inverse = _mm512_set1_ps(if most > 0.0 { 127.0 / most } else { 0.0 });
        let low = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
        let high = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
        let sum = _mm512_reduce_add_epi32(_mm512_add_epi32(low, high));
        let to = to.as_mut_ptr().cast::<__m128i>();
        // SAFETY: as above.
        unsafe {
            _mm_storeu_si128(to, _mm_shuffle_epi8(_mm512_cvtepi32_epi8(low), order));
            _mm_storeu_si128(to.add(1), _mm_shuffle_epi8(_mm512_cvtepi32_epi8(high), order));
        }
        (most / 127.0, sum)
    }

    /// The products of all rows of activations with some tiles of the weights, and a bias for each row of weights.
    pub(in super::super) fn product(weights: &Packed, activations: &Activations, bias: Option<&[f32]>, tiles: Range<usize>, out: Output) {
        let shape = weights.shape;
        let blocks = shape.columns / BLOCK;
        let rows = activations.scales.len() / blocks;
        assert!(usable() && tiles.end <= shape.tiles() && shape.columns.is_multiple_of(shape.block));
        assert!(shape.block.is_power_of_two() && shape.block >= BLOCK);
        assert!(weights.lines.len() == shape.tiles() * shape.lines(weights.halves));
        assert!(weights.offsets.as_ref().is_none_or(|offsets| offsets.len() == shape.tiles() * shape.blocks()));
        assert!(
            activations.values.len() == rows * shape.columns && [activations.sums.len(), activations.starts.len()] == [rows * blocks; 2]
        );
        assert!(out.length == rows * shape.rows && bias.is_none_or(|bias| bias.len() == shape.rows));
        for first in (0..rows).step_by(CHUNK) {
            let end = rows.min(first + CHUNK);
            for tile in tiles.clone() {
                let mut row = first;
                while row < end {
                    let task = Task { weights, activations, bias, tile, row, out };
                    row += match (end - row, row == first) {
                        (8.., true) => task.run::<8, true>(),
                        (8.., false) => task.run::<8, false>(),
                        (4.., true) => task.run::<4, true>(),
                        (4.., false) => task.run::<4, false>(),
                        (2.., true) => task.run::<2, true>(),
                        (2.., false) => task.run::<2, false>(),
                        (_, true) => task.run::<1, true>(),
                        (_, false) => task.run::<1, false>(),
                    };
                }
            }
        }
    }

    /// A group of 16 rows of weights with some rows of activations.
    struct Task<'a> {
        weights: &'a Packed,
        activations: &'a Activations,
        bias: Option<&'a [f32]>,
        tile: usize,
        row: usize,
        out: Output,
    }

    impl Task<'_> {
        fn run<const ROWS: usize, const FIRST: bool>(&self) -> usize {
            // SAFETY: `product` has looked at all lengths and at the processor.
            unsafe {
                match (self.weights.shape.bits, self.weights.halves, self.weights.offsets.is_some()) {
                    (4, true, false) => self.tile::<ROWS, FIRST, 4, true, false>(),
                    (4, true, true) => self.tile::<ROWS, FIRST, 4, true, true>(),
                    (4, false, false) => self.tile::<ROWS, FIRST, 4, false, false>(),
                    (4, false, true) => self.tile::<ROWS, FIRST, 4, false, true>(),
                    (_, true, false) => self.tile::<ROWS, FIRST, 8, true, false>(),
                    (_, true, true) => self.tile::<ROWS, FIRST, 8, true, true>(),
                    (_, false, false) => self.tile::<ROWS, FIRST, 8, false, false>(),
                    (_, false, true) => self.tile::<ROWS, FIRST, 8, false, true>(),
                }
            }
            ROWS
        }

        /// For each block: integer sums of values times weights as they are stored, less what the middle adds, times both scales.
        /// `FIRST` rows ask for the weights ahead of time, for which others need not.
        ///
        /// # Safety
        /// `tile`, and `ROWS` rows from `row`, lie within weights, activations and output.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
        unsafe fn tile<const ROWS: usize, const FIRST: bool, const BITS: usize, const HALVES: bool, const OFFSETS: bool>(&self) {
            let shape = self.weights.shape;
            let (columns, blocks, scales) = (shape.columns, shape.columns / BLOCK, shape.blocks());
            let per_scale = shape.block / BLOCK;
            let low = _mm512_set1_epi8(0x0f);
            let high = _mm512_set1_epi8(0xf0_u8.cast_signed());
            // SAFETY: as the caller promises: what is read are the lines of one tile, one after the other, and values of the rows.
            unsafe {
                let mut line = self.weights.lines.as_ptr().add(self.tile * shape.lines(HALVES));
                let mut next = || {
                    if FIRST {
                        // These addresses are only asked for.
                        _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(AHEAD).cast());
                        _mm_prefetch::<_MM_HINT_T1>(line.wrapping_add(FAR_AHEAD).cast());
                    }
                    let words = _mm512_loadu_si512(line.cast());
                    line = line.add(1);
                    words
                };
                let values = self.activations.values.as_ptr().add(self.row * columns);
                let value_scales = self.activations.scales.as_ptr().add(self.row * blocks);
                let sums = self.activations.sums.as_ptr().add(self.row * blocks);
                let starts = self.activations.starts.as_ptr().add(self.row * blocks);
                let mut total = [_mm512_setzero_ps(); ROWS];
                let (mut scale_line, mut offset) = (_mm512_setzero_si512(), _mm512_setzero_si512());
                for scale in 0..scales {
                    let second = HALVES && scale % 2 == 1;
                    scale_line = if second { _mm512_castsi256_si512(_mm512_extracti64x4_epi64::<1>(scale_line)) } else { next() };
                    let weight_scale =
                        if HALVES { _mm512_cvtph_ps(_mm512_castsi512_si256(scale_line)) } else { _mm512_castsi512_ps(scale_line) };
                    if OFFSETS && let Some(offsets) = &self.weights.offsets {
                        let offsets = offsets.as_ptr().add(self.tile * scales + scale);
                        offset = _mm512_cvtepi8_epi32(_mm_loadu_si128(offsets.cast()));
                    }
                    for block in scale * per_scale..(scale + 1) * per_scale {
                        // Sums of lower halves, which begin with what the middle takes from all, and of upper halves, 16 times too large.
                        let mut lower = [_mm512_setzero_si512(); ROWS];
                        for (row, lower) in lower.iter_mut().enumerate() {
                            *lower = _mm512_set1_epi32(*starts.add(row * blocks + block));
                        }
                        let mut upper = [_mm512_setzero_si512(); ROWS];
                        for word in 0..BITS {
                            let stored = next();
                            let lower_half = _mm512_and_si512(stored, low);
                            let upper_half = _mm512_and_si512(stored, high);
                            for row in 0..ROWS {
                                let values = values.add(row * columns + block * BLOCK + word * BLOCK / BITS).cast::<i32>();
                                if BITS == 4 {
                                    lower[row] = _mm512_dpbusd_epi32(lower[row], lower_half, _mm512_set1_epi32(values.read_unaligned()));
                                    let values = values.add(1);
                                    upper[row] = _mm512_dpbusd_epi32(upper[row], upper_half, _mm512_set1_epi32(values.read_unaligned()));
                                } else {
                                    lower[row] = _mm512_dpbusd_epi32(lower[row], stored, _mm512_set1_epi32(values.read_unaligned()));
                                }
                            }
                        }
                        for row in 0..ROWS {
                            let mut sum = lower[row];
                            if BITS == 4 {
                                sum = _mm512_add_epi32(sum, _mm512_srai_epi32::<4>(upper[row]));
                            }
                            if OFFSETS {
                                let values = _mm512_set1_epi32(*sums.add(row * blocks + block));
                                sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(offset, values));
                            }
                            let both = _mm512_mul_ps(weight_scale, _mm512_set1_ps(*value_scales.add(row * blocks + block)));
                            total[row] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), both, total[row]);
                        }
                    }
                }
                // Lanes beyond the last row of weights are left out.
                let first = self.tile * LANES;
                let mask = u16::MAX >> (LANES - LANES.min(shape.rows - first));
                let bias = self.bias.map_or(_mm512_setzero_ps(), |bias| _mm512_maskz_loadu_ps(mask, bias.as_ptr().add(first)));
                for (row, total) in total.iter().enumerate() {
                    let to = self.out.start.add((self.row + row) * shape.rows + first);
                    _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(*total, bias));
                }
            }
        }
    }
}
