//! Products with AVX-512 and its instructions for neural networks (VNNI): a step multiplies four pairs of 8-bit numbers in each of 16 lanes.

#![allow(unsafe_code)]

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{gated, product, quantize, usable};

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn usable() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn quantize(_: &[f32], _: usize, _: usize, _: usize, _: &mut super::activations::Group<'_>) {}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn product(_: &super::packed::Packed, _: &super::activations::Activations, _: Option<&[f32]>, _: Range<usize>, _: Output) {}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn gated(
    _: &super::packed::Packed,
    _: &super::activations::Activations,
    _: [Option<&[f32]>; 2],
    _: super::gate::Gate,
    _: Range<usize>,
    _: Output,
) {
}

/// Where results go: `[rows of activations, rows of weights]`, of which each thread writes columns of its own.
#[derive(Clone, Copy)]
pub(super) struct Output {
    start: *mut f32,
    length: usize,
}

// SAFETY: it is only written to in `product` and `gated`, whose callers give each thread columns of its own.
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
        activations::{Activations, Group, MOST_ROWS, UNIT, group},
        gate::Gate,
        packed::Packed,
    };

    /// A chunk of so many rows of activations stays in the second cache while the weights pass.
    const CHUNK: usize = 11 * MOST_ROWS;
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

    /// Rounds one row of a group to 8 bits. With 4-bit weights each unit has the even places first, as those weights lie in the lower halves of
    /// bytes.
    pub(in super::super) fn quantize(values: &[f32], block: usize, bits: usize, row: usize, group: &mut Group<'_>) {
        let (rows, blocks) = (group.rows, values.len() / block);
        assert!(usable() && row < rows && values.len() == blocks * block && block.is_multiple_of(BLOCK));
        assert!(group.values.len() == rows * values.len() / UNIT);
        assert!([group.scales.len(), group.sums.len(), group.starts.len()] == [rows * blocks; 3]);
        let blocks = values.chunks_exact(block).zip(group.values.chunks_exact_mut(rows * block / UNIT));
        for (number, (from, to)) in blocks.enumerate() {
            // SAFETY: the processor has the instructions.
            let (scale, sum) = unsafe { quantize_block(from.as_chunks().0, bits == 4, to, rows, row) };
            let place = number * rows + row;
            group.scales[place] = scale;
            group.sums[place] = sum;
            group.starts[place] = -(sum << (bits - 1));
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn quantize_block(from: &[[f32; LANES]], even_first: bool, to: &mut [[i8; UNIT]], rows: usize, row: usize) -> (f32, i32) {
        let in_turn = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let order = if even_first { _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15) } else { in_turn };
        let mut most = _mm512_setzero_ps();
        for from in from {
            // SAFETY: the array has as many numbers.
            most = _mm512_max_ps(most, _mm512_abs_ps(unsafe { _mm512_loadu_ps(from.as_ptr()) }));
        }
        let most = _mm512_reduce_max_ps(most);
        let inverse = _mm512_set1_ps(if most > 0.0 { 127.0 / most } else { 0.0 });
        let mut sum = _mm512_setzero_si512();
        for (from, to) in from.iter().zip(to.chunks_exact_mut(rows * LANES / UNIT)) {
            // SAFETY: as above.
            let rounded = _mm512_cvtps_epi32(_mm512_mul_ps(unsafe { _mm512_loadu_ps(from.as_ptr()) }, inverse));
            sum = _mm512_add_epi32(sum, rounded);
            let bytes = _mm_shuffle_epi8(_mm512_cvtepi32_epi8(rounded), order);
            to[row] = _mm_cvtsi128_si64(bytes).to_le_bytes().map(u8::cast_signed);
            to[rows + row] = _mm_extract_epi64::<1>(bytes).to_le_bytes().map(u8::cast_signed);
        }
        (most / 127.0, _mm512_reduce_add_epi32(sum))
    }

    /// The products of all rows of activations with some tiles of the weights, and a bias for each row of weights.
    pub(in super::super) fn product(weights: &Packed, activations: &Activations, bias: Option<&[f32]>, tiles: Range<usize>, out: Output) {
        let (rows, width) = (activations.rows, weights.shape.rows);
        assert_fit(weights, activations);
        assert!(tiles.end <= weights.shape.tiles() && out.length == rows * width && bias.is_none_or(|bias| bias.len() == width));
        for first in (0..rows).step_by(CHUNK) {
            for tile in tiles.clone() {
                let bias = bias.and_then(|bias| bias.get(tile * LANES..));
                // SAFETY: the first of this tile's results.
                let out = unsafe { out.start.add(first * width + tile * LANES) };
                Task { weights, activations, bias, tile, out, width }.chunk(first);
            }
        }
    }

    /// Such products with two matrices, whose tiles take turns: the first goes through the gate and scales the second. `pairs` are tiles of results.
    pub(in super::super) fn gated(
        weights: &Packed,
        activations: &Activations,
        biases: [Option<&[f32]>; 2],
        gate: Gate,
        pairs: Range<usize>,
        out: Output,
    ) {
        const BOTH: usize = 2 * LANES;
        let (rows, width) = (activations.rows, weights.shape.rows / 2);
        assert_fit(weights, activations);
        assert!(width.is_multiple_of(LANES) && pairs.end <= width / LANES && out.length == rows * width);
        assert!(weights.shape.rows == 2 * width && biases.iter().flatten().all(|bias| bias.len() == width));
        let mut both = vec![[0.0_f32; BOTH]; rows.min(CHUNK)];
        for first in (0..rows).step_by(CHUNK) {
            for pair in pairs.clone() {
                for (half, bias) in biases.iter().enumerate() {
                    let bias = bias.and_then(|bias| bias.get(pair * LANES..));
                    // SAFETY: one half of each row.
                    let out = unsafe { both.as_mut_ptr().cast::<f32>().add(half * LANES) };
                    Task { weights, activations, bias, tile: 2 * pair + half, out, width: BOTH }.chunk(first);
                }
                for (row, both) in (first..rows).zip(&both) {
                    // SAFETY: the processor has the instructions, and these are a vector of the results.
                    unsafe { apply(gate, both, out.start.add(row * width + pair * LANES)) };
                }
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn apply(gate: Gate, both: &[f32; 2 * LANES], to: *mut f32) {
        // SAFETY: there are two vectors, and the caller has room for one.
        unsafe {
            let (x, other) = (_mm512_loadu_ps(both.as_ptr()), _mm512_loadu_ps(both.as_ptr().add(LANES)));
            _mm512_storeu_ps(to, gate.apply(x, other));
        }
    }

    fn assert_fit(weights: &Packed, activations: &Activations) {
        let (shape, rows) = (weights.shape, activations.rows);
        let blocks = shape.blocks();
        assert!(usable() && shape.columns.is_multiple_of(shape.block));
        assert!(shape.block.is_power_of_two() && shape.block >= BLOCK);
        assert!(weights.lines.len() == shape.tiles() * shape.lines(weights.halves));
        assert!(weights.offsets.as_ref().is_none_or(|offsets| offsets.len() == shape.tiles() * shape.blocks()));
        assert!(activations.values.len() == rows * shape.columns / UNIT);
        assert!([activations.scales.len(), activations.sums.len(), activations.starts.len()] == [rows * blocks; 3]);
    }

    /// A group of 16 rows of weights with some rows of activations.
    struct Task<'a> {
        weights: &'a Packed,
        activations: &'a Activations,
        /// From this tile's first.
        bias: Option<&'a [f32]>,
        tile: usize,
        /// Where the results of the first row go, and how far from those the next row's are.
        out: *mut f32,
        width: usize,
    }

    impl Task<'_> {
        /// A chunk of rows, from its first.
        fn chunk(&self, first: usize) {
            let rows = self.activations.rows;
            let (mut row, end) = (first, rows.min(first + CHUNK));
            while row < end {
                let group = group(rows - row);
                // SAFETY: results of rows that there are.
                let out = unsafe { self.out.add((row - first) * self.width) };
                match (group, row == first) {
                    (MOST_ROWS, true) => self.run::<MOST_ROWS, true>(row, out),
                    (MOST_ROWS, false) => self.run::<MOST_ROWS, false>(row, out),
                    (8, true) => self.run::<8, true>(row, out),
                    (8, false) => self.run::<8, false>(row, out),
                    (4, true) => self.run::<4, true>(row, out),
                    (4, false) => self.run::<4, false>(row, out),
                    (2, true) => self.run::<2, true>(row, out),
                    (2, false) => self.run::<2, false>(row, out),
                    (_, true) => self.run::<1, true>(row, out),
                    (_, false) => self.run::<1, false>(row, out),
                }
                row += group;
            }
        }

        fn run<const ROWS: usize, const FIRST: bool>(&self, row: usize, out: *mut f32) {
            // SAFETY: `product` and `gated` have looked at all lengths and at the processor.
            unsafe {
                match (self.weights.shape.bits, self.weights.halves, self.weights.offsets.is_some()) {
                    (4, true, false) => self.tile::<ROWS, FIRST, 4, true, false>(row, out),
                    (4, true, true) => self.tile::<ROWS, FIRST, 4, true, true>(row, out),
                    (4, false, false) => self.tile::<ROWS, FIRST, 4, false, false>(row, out),
                    (4, false, true) => self.tile::<ROWS, FIRST, 4, false, true>(row, out),
                    (_, true, false) => self.tile::<ROWS, FIRST, 8, true, false>(row, out),
                    (_, true, true) => self.tile::<ROWS, FIRST, 8, true, true>(row, out),
                    (_, false, false) => self.tile::<ROWS, FIRST, 8, false, false>(row, out),
                    (_, false, true) => self.tile::<ROWS, FIRST, 8, false, true>(row, out),
                }
            }
        }

        /// For each block: integer sums of values times weights as they are stored, less what the middle adds, times both scales.
        /// `FIRST` rows ask for the weights ahead of time, for which others need not.
        ///
        /// # Safety
        /// `tile`, and `ROWS` rows from `row`, lie within weights and activations; `out` has room for as many rows.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
        unsafe fn tile<const ROWS: usize, const FIRST: bool, const BITS: usize, const HALVES: bool, const OFFSETS: bool>(
            &self,
            row: usize,
            out: *mut f32,
        ) {
            let shape = self.weights.shape;
            let (units, blocks) = (shape.columns / UNIT, shape.blocks());
            let half = _mm512_set1_epi8(0x0f);
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
                let mut values = self.activations.values.as_ptr().add(row * units);
                let value_scales = self.activations.scales.as_ptr().add(row * blocks);
                let sums = self.activations.sums.as_ptr().add(row * blocks);
                let starts = self.activations.starts.as_ptr().add(row * blocks);
                let mut total = [_mm512_setzero_ps(); ROWS];
                let (mut scale_line, mut offset) = (_mm512_setzero_si512(), _mm512_setzero_si512());
                for block in 0..blocks {
                    let second = HALVES && block % 2 == 1;
                    scale_line = if second { _mm512_castsi256_si512(_mm512_extracti64x4_epi64::<1>(scale_line)) } else { next() };
                    let scale = if HALVES { _mm512_cvtph_ps(_mm512_castsi512_si256(scale_line)) } else { _mm512_castsi512_ps(scale_line) };
                    if OFFSETS && let Some(offsets) = &self.weights.offsets {
                        let offsets = offsets.as_ptr().add(self.tile * blocks + block);
                        offset = _mm512_cvtepi8_epi32(_mm_loadu_si128(offsets.cast()));
                    }
                    // They begin with what the middle of the stored weights takes from all.
                    let mut block_sums = [_mm512_setzero_si512(); ROWS];
                    let mut second_sums = block_sums;
                    for (row, sum) in block_sums.iter_mut().enumerate() {
                        *sum = _mm512_set1_epi32(*starts.add(block * ROWS + row));
                    }
                    for _ in 0..shape.block / UNIT {
                        // A unit's numbers as two vectors of weights: the halves of one line, or two lines.
                        let first = next();
                        let (first, second) = if BITS == 4 {
                            (_mm512_and_si512(first, half), _mm512_and_si512(_mm512_srli_epi32::<4>(first), half))
                        } else {
                            (first, next())
                        };
                        for (row, sum) in block_sums.iter_mut().enumerate() {
                            let values = values.add(row).cast::<i32>();
                            *sum = _mm512_dpbusd_epi32(*sum, first, _mm512_set1_epi32(values.read_unaligned()));
                            // Few rows would wait for each step of their sums: these have two.
                            let sum = if ROWS <= 4 { &mut second_sums[row] } else { sum };
                            *sum = _mm512_dpbusd_epi32(*sum, second, _mm512_set1_epi32(values.add(1).read_unaligned()));
                        }
                        values = values.add(ROWS);
                    }
                    for (row, sum) in block_sums.iter_mut().enumerate() {
                        *sum = _mm512_add_epi32(*sum, second_sums[row]);
                        if OFFSETS {
                            let values = _mm512_set1_epi32(*sums.add(block * ROWS + row));
                            *sum = _mm512_sub_epi32(*sum, _mm512_mullo_epi32(offset, values));
                        }
                        let both = _mm512_mul_ps(scale, _mm512_set1_ps(*value_scales.add(block * ROWS + row)));
                        total[row] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(*sum), both, total[row]);
                    }
                }
                // Lanes beyond the last row of weights are left out.
                let mask = u16::MAX >> (LANES - LANES.min(shape.rows - self.tile * LANES));
                let bias = self.bias.map_or(_mm512_setzero_ps(), |bias| _mm512_maskz_loadu_ps(mask, bias.as_ptr()));
                for (row, total) in total.iter().enumerate() {
                    let to = out.add(row * self.width);
                    _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(*total, bias));
                }
            }
        }
    }
}
