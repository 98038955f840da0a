//! What attention computes, with AVX-512: products from tiles in registers, keys with places side by side, and exponentials.

#![allow(unsafe_code)]
#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::*;

use crate::session::kernels::LANES;

/// So many rows of a product are in registers at once,
pub(super) const ROWS: usize = 6;
/// and so many vectors of each.
pub(super) const VECTORS: usize = 4;
/// So many keys are turned at a time.
pub(super) const KEYS: usize = VECTORS * LANES;
/// What no score is below, so that differences of two are numbers.
pub(super) const LOWEST: f32 = f32::MIN;

/// Two matrices in memory by their first number and the step from row to row, and where their product goes.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) left: (*const f32, usize),
    pub(super) right: (*const f32, usize),
    /// Rows of the right one, and columns of the left one.
    pub(super) depth: usize,
    /// The lanes that the last vector of the right one has.
    pub(super) last: __mmask16,
    pub(super) to: (*mut f32, usize),
}

impl Product {
    /// Some rows and vectors of the product; with `factors` for the rows, what is there is multiplied with them and stays in the sum.
    ///
    /// # Safety
    /// All that is named lies within memory, the processor has AVX-512F, and there are at most [`ROWS`] and [`VECTORS`].
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn run(self, rows: usize, vectors: usize, factors: Option<&[f32; ROWS]>) {
        debug_assert!(rows <= ROWS && vectors <= VECTORS);
        // SAFETY: as the caller promises.
        unsafe {
            match vectors {
                1 => self.wide::<1>(rows, factors),
                2 => self.wide::<2>(rows, factors),
                3 => self.wide::<3>(rows, factors),
                _ => self.wide::<4>(rows, factors),
            }
        }
    }

    /// # Safety
    /// As [`Product::run`].
    #[target_feature(enable = "avx512f")]
    unsafe fn wide<const N: usize>(self, rows: usize, factors: Option<&[f32; ROWS]>) {
        // SAFETY: as the caller promises.
        unsafe {
            match rows {
                1 => self.tile::<1, N>(factors),
                2 => self.tile::<2, N>(factors),
                3 => self.tile::<3, N>(factors),
                4 => self.tile::<4, N>(factors),
                5 => self.tile::<5, N>(factors),
                _ => self.tile::<6, N>(factors),
            }
        }
    }

    /// # Safety
    /// As [`Product::run`].
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const M: usize, const N: usize>(self, factors: Option<&[f32; ROWS]>) {
        let ((left, left_step), (right, right_step), (to, to_step)) = (self.left, self.right, self.to);
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        // SAFETY: as the caller promises.
        unsafe {
            if let Some(factors) = factors {
                for (row, sums) in sums.iter_mut().enumerate() {
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        let there = _mm512_loadu_ps(to.add(row * to_step + vector * LANES));
                        *sum = _mm512_mul_ps(there, _mm512_set1_ps(factors[row]));
                    }
                }
            }
            for depth in 0..self.depth {
                let line = right.add(depth * right_step);
                let mut values = [_mm512_setzero_ps(); N];
                for (vector, value) in values.iter_mut().enumerate() {
                    let mask = if vector + 1 == N { self.last } else { u16::MAX };
                    *value = _mm512_maskz_loadu_ps(mask, line.add(vector * LANES));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let factor = _mm512_set1_ps(*left.add(row * left_step + depth));
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = _mm512_fmadd_ps(factor, value, *sum);
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                for (vector, sum) in sums.iter().enumerate() {
                    _mm512_storeu_ps(to.add(row * to_step + vector * LANES), *sum);
                }
            }
        }
    }
}

/// Rows as columns: `to` gets `size` rows of [`KEYS`] numbers, of which the first are those of `count` rows of `size` numbers, and zeros up to
/// a whole vector. `AHEAD`: what lies at the same places from there on is asked for.
///
/// # Safety
/// `from` has so many rows, `to` has room, and the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn transpose<const AHEAD: bool>(from: *const f32, count: usize, size: usize, to: *mut f32, ahead: [*const f32; 2]) {
    for first in (0..count).step_by(LANES) {
        for column in (0..size).step_by(LANES) {
            let columns = LANES.min(size - column);
            let mask = u16::MAX >> (LANES - columns);
            let mut square = [_mm512_setzero_ps(); LANES];
            // SAFETY: rows below `count`, and columns below `size`.
            unsafe {
                for (row, line) in square.iter_mut().enumerate().take(count - first) {
                    for ahead in ahead.iter().filter(|_| AHEAD) {
                        _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add((first + row) * size + column).cast());
                    }
                    *line = _mm512_maskz_loadu_ps(mask, from.add((first + row) * size + column));
                }
                let square = transposed(square);
                for (row, line) in square.iter().enumerate().take(columns) {
                    _mm512_storeu_ps(to.add((column + row) * KEYS + first), *line);
                }
            }
        }
    }
}

/// 16 rows of 16: pairs of numbers, then fours, then fours of fours change places.
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512; LANES]) -> [__m512; LANES] {
    let mut fours = [_mm512_setzero_ps(); LANES];
    for (rows, fours) in rows.as_chunks::<4>().0.iter().zip(fours.as_chunks_mut::<4>().0) {
        let [a, b, c, d] = *rows;
        let (ab, ab_high) = (_mm512_castps_pd(_mm512_unpacklo_ps(a, b)), _mm512_castps_pd(_mm512_unpackhi_ps(a, b)));
        let (cd, cd_high) = (_mm512_castps_pd(_mm512_unpacklo_ps(c, d)), _mm512_castps_pd(_mm512_unpackhi_ps(c, d)));
        *fours = [
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high)),
        ];
    }
    let mut out = [_mm512_setzero_ps(); LANES];
    for column in 0..4 {
        let [a, b, c, d] = [0, 4, 8, 12].map(|row| fours[row + column]);
        let (ab, ab_odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
        let (cd, cd_odd) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
        out[column] = _mm512_shuffle_f32x4::<0x88>(ab, cd);
        out[4 + column] = _mm512_shuffle_f32x4::<0x88>(ab_odd, cd_odd);
        out[8 + column] = _mm512_shuffle_f32x4::<0xdd>(ab, cd);
        out[12 + column] = _mm512_shuffle_f32x4::<0xdd>(ab_odd, cd_odd);
    }
    out
}

/// A row of scores becomes its weights, relative to the largest score so far.
pub(super) struct Weights<'a> {
    pub(super) scores: *mut f32,
    pub(super) vectors: usize,
    /// The first place that is seen, and behind the last.
    pub(super) sees: std::ops::Range<usize>,
    /// 0 for none.
    pub(super) softcap: f32,
    /// For each place that is seen.
    pub(super) bias: Option<*const f32>,
    pub(super) most: &'a mut f32,
    pub(super) sum: &'a mut f32,
}

impl Weights<'_> {
    /// What weights so far have to be multiplied with.
    ///
    /// # Safety
    /// There are so many vectors of scores, of which all that is seen is one and has a bias; the processor has AVX-512F.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn run(self) -> f32 {
        let mut most = _mm512_set1_ps(*self.most);
        // SAFETY: as the caller promises: lanes that are not seen are not read from the bias.
        unsafe {
            for vector in 0..self.vectors {
                let at = self.scores.add(vector * LANES);
                let first = vector * LANES;
                let seen = below(self.sees.end, first) & !below(self.sees.start, first);
                let mut score = _mm512_loadu_ps(at);
                if self.softcap > 0.0 {
                    let cap = _mm512_set1_ps(self.softcap);
                    score = _mm512_mul_ps(tanh(_mm512_div_ps(score, cap)), cap);
                }
                if let Some(bias) = self.bias {
                    score = _mm512_add_ps(score, _mm512_maskz_loadu_ps(seen, bias.wrapping_add(first)));
                }
                score = _mm512_mask_blend_ps(seen, _mm512_set1_ps(f32::NEG_INFINITY), score);
                most = _mm512_max_ps(most, score);
                _mm512_storeu_ps(at, score);
            }
            let most = _mm512_set1_ps(_mm512_reduce_max_ps(most));
            let mut sum = _mm512_setzero_ps();
            for vector in 0..self.vectors {
                let at = self.scores.add(vector * LANES);
                let weight = exp(_mm512_sub_ps(_mm512_loadu_ps(at), most));
                sum = _mm512_add_ps(sum, weight);
                _mm512_storeu_ps(at, weight);
            }
            let most = _mm512_cvtss_f32(most);
            let factor = exp_of(*self.most - most);
            *self.most = most;
            *self.sum = *self.sum * factor + _mm512_reduce_add_ps(sum);
            factor
        }
    }
}

/// The lanes of a vector that begins at `first` whose places are below `end`.
fn below(end: usize, first: usize) -> __mmask16 {
    let lanes = end.saturating_sub(first).min(LANES);
    ((1_u32 << lanes) - 1) as u16
}

/// `e^x` for one number that is not above 0.
#[target_feature(enable = "avx512f")]
pub(super) fn exp_of(x: f32) -> f32 {
    _mm512_cvtss_f32(exp(_mm512_set1_ps(x)))
}

/// `e^x` for numbers that are not above 0; 0 where it would be less than the usual 32-bit numbers, which take processors long.
#[target_feature(enable = "avx512f")]
pub(super) fn exp(x: __m512) -> __m512 {
    let usual = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, _mm512_set1_ps(-87.0));
    let (less_one, power) = exp_less_one(x);
    _mm512_maskz_scalef_ps(usual, _mm512_add_ps(less_one, _mm512_set1_ps(1.0)), power)
}

/// `p - 1` and `n` of `e^x = p · 2^n`, where `p` is between √½ and √2: `p` is the first terms of the series, whose rest is less than a rounding.
#[target_feature(enable = "avx512f")]
fn exp_less_one(x: __m512) -> (__m512, __m512) {
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    let power = _mm512_roundscale_ps::<NEAREST>(_mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::LOG2_E)));
    // The logarithm of 2 in two parts: the first has few bits, so that its products are exact.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = (std::f64::consts::LN_2 - HIGH as f64) as f32;
    let rest = _mm512_fnmadd_ps(power, _mm512_set1_ps(HIGH), x);
    let rest = _mm512_fnmadd_ps(power, _mm512_set1_ps(LOW), rest);
    let mut series = _mm512_set1_ps(1.0 / 5040.0);
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        series = _mm512_fmadd_ps(series, rest, _mm512_set1_ps(term));
    }
    (_mm512_fmadd_ps(_mm512_mul_ps(rest, rest), series, rest), power)
}

/// `e / (e + 2)` with `e = e^2|x| - 1`, which is exact near 0 as well.
#[target_feature(enable = "avx512f")]
pub(super) fn tanh(x: __m512) -> __m512 {
    // Beyond 20 it is 1.
    let twice = _mm512_min_ps(_mm512_set1_ps(40.0), _mm512_abs_ps(_mm512_add_ps(x, x)));
    let (less_one, power) = exp_less_one(twice);
    let scale = _mm512_scalef_ps(_mm512_set1_ps(1.0), power);
    let e = _mm512_fmadd_ps(less_one, scale, _mm512_sub_ps(scale, _mm512_set1_ps(1.0)));
    let size = _mm512_castps_si512(_mm512_div_ps(e, _mm512_add_ps(e, _mm512_set1_ps(2.0))));
    let sign = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(i32::MIN));
    _mm512_castsi512_ps(_mm512_or_si512(size, sign))
}
