//! The root-mean-square norm of a sum.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::normalize_sum;

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn normalize_sum(_: &[f32], _: &[f32], _: &[f32], _: f32, _: &mut [f32], _: &mut [f32]) {}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use crate::session::kernels::{LANES, avx512::usable};

    /// Writes `a + b` of one row, in whole vectors, and its norm.
    pub(in super::super) fn normalize_sum(a: &[f32], b: &[f32], scale: &[f32], epsilon: f32, sum: &mut [f32], norm: &mut [f32]) {
        let count = a.len();
        assert!(usable() && count.is_multiple_of(LANES) && [b.len(), scale.len(), sum.len(), norm.len()] == [count; 4]);
        // SAFETY: the processor has the instructions, and all have the same length.
        unsafe { vectors(a, b, scale, epsilon, sum, norm) };
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn vectors(a: &[f32], b: &[f32], scale: &[f32], epsilon: f32, sum: &mut [f32], norm: &mut [f32]) {
        let mut squares = _mm512_setzero_ps();
        for at in (0..a.len()).step_by(LANES) {
            // SAFETY: the lengths are as the caller says.
            unsafe {
                let both = _mm512_add_ps(_mm512_loadu_ps(a.as_ptr().add(at)), _mm512_loadu_ps(b.as_ptr().add(at)));
                _mm512_storeu_ps(sum.as_mut_ptr().add(at), both);
                squares = _mm512_fmadd_ps(both, both, squares);
            }
        }
        let root = (_mm512_reduce_add_ps(squares) / a.len() as f32 + epsilon).sqrt();
        for at in (0..a.len()).step_by(LANES) {
            // SAFETY: as above.
            unsafe {
                let one = _mm512_div_ps(_mm512_loadu_ps(sum.as_ptr().add(at)), _mm512_set1_ps(root));
                _mm512_storeu_ps(norm.as_mut_ptr().add(at), _mm512_mul_ps(one, _mm512_loadu_ps(scale.as_ptr().add(at))));
            }
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::session::kernels::avx512::usable;

    #[test]
    fn norms_are_those_of_the_sum() {
        if !usable() {
            return;
        }
        for count in [16, 32, 896] {
            let numbers = |step: f32| (0..count).map(|i| (i as f32 * step).sin() * 3.0).collect::<Vec<_>>();
            let (a, b, scale) = (numbers(0.7), numbers(1.3), numbers(0.1));
            let (mut sum, mut norm) = (vec![0.0; count], vec![0.0; count]);
            normalize_sum(&a, &b, &scale, 1e-3, &mut sum, &mut norm);
            let squares = sum.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            let root = (squares / count as f64 + 1e-3).sqrt();
            for i in 0..count {
                assert_eq!(sum[i], a[i] + b[i]);
                let expected = f64::from(sum[i]) / root * f64::from(scale[i]);
                assert!((f64::from(norm[i]) - expected).abs() < 1e-6, "{count}: {} for {expected}", norm[i]);
            }
        }
        // Nothing at all is not divided by nothing.
        let (mut sum, mut norm) = ([1.0; 16], [1.0; 16]);
        normalize_sum(&[0.0; 16], &[0.0; 16], &[1.0; 16], 1e-6, &mut sum, &mut norm);
        assert_eq!((sum, norm), ([0.0; 16], [0.0; 16]));
    }
}
