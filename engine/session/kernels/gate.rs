//! Gates: one product goes through an activation function, and scales another.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// The function `x σ(linear x + cubic x³)`: SiLU and, by the hyperbolic tangent, GELU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    pub(super) linear: f32,
    pub(super) cubic: f32,
}

impl Gate {
    /// The function of one vector, times another.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    pub(super) fn apply(self, x: __m512, other: __m512) -> __m512 {
        let one = _mm512_set1_ps(1.0);
        let inner = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(self.cubic), _mm512_set1_ps(self.linear));
        let power = exp(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(inner, x)));
        _mm512_mul_ps(_mm512_div_ps(x, _mm512_add_ps(one, power)), other)
    }
}

/// `eˣ`: a power of two, times a polynomial of what is left, which is at most ½ ln 2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn exp(x: __m512) -> __m512 {
    // Coefficients of the series, from the seventh power down: what follows is below half a unit of the last place.
    const SERIES: [f32; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    // Beyond these it is zero or infinite; the second operand is taken where the first is no number.
    let x = _mm512_min_ps(_mm512_set1_ps(104.0), _mm512_max_ps(_mm512_set1_ps(-104.0), x));
    let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm512_mul_ps(
        x,
        _mm512_set1_ps(std::f32::consts::LOG2_E),
    ));
    // ln 2 in two parts, of which the first times a whole number of this size is exact.
    let rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693_359_4), x);
    let rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(-2.121_944_4e-4), rest);
    let sum = SERIES.iter().fold(_mm512_setzero_ps(), |sum, term| _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(*term)));
    _mm512_scalef_ps(sum, whole)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::session::kernels::avx512::usable;

    #[target_feature(enable = "avx512f")]
    fn vector(values: [f32; 16], function: impl Fn(__m512) -> __m512) -> [f32; 16] {
        let mut out = [0.0; 16];
        // SAFETY: both have 16 numbers.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), function(_mm512_loadu_ps(values.as_ptr()))) };
        out
    }

    /// How many units of the last place of the expected number.
    fn error(given: f32, expected: f64) -> f64 {
        let unit = f64::from((expected as f32).abs().next_up()) - f64::from((expected as f32).abs());
        (f64::from(given) - expected).abs() / unit
    }

    #[test]
    fn powers_are_exact_to_the_last_place_or_two() {
        if !usable() {
            return;
        }
        for i in -20_000..20_000 {
            let x = i as f32 * 0.004_321;
            // SAFETY: the processor has the instructions.
            let [given, ..] = unsafe { vector([x; 16], |x| exp(x)) };
            assert!(error(given, f64::from(x).exp()) < 1.5, "exp {x}: {given}");
        }
        // SAFETY: as above.
        let ends = unsafe {
            vector([f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0, 1e30, -1e30, 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.], |x| exp(x))
        };
        assert!(
            ends[0] == f32::INFINITY && ends[1] == 0.0 && ends[2].is_nan() && ends[3] == 1.0 && ends[4] == f32::INFINITY && ends[5] == 0.0
        );
    }

    #[test]
    fn gates_are_the_functions_that_they_say() {
        if !usable() {
            return;
        }
        let root = (2.0 / std::f64::consts::PI).sqrt();
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let gelu = |x: f64| 0.5 * x * (1.0 + (root * (x + 0.044_715 * x.powi(3))).tanh());
        let linear = 2.0 * root as f32;
        let cases: [(Gate, &dyn Fn(f64) -> f64); 2] =
            [(Gate { linear: 1.0, cubic: 0.0 }, &silu), (Gate { linear, cubic: 0.044_715 * linear }, &gelu)];
        for (gate, function) in cases {
            for i in -4000..4000 {
                let x = i as f32 * 0.01;
                // SAFETY: the processor has the instructions.
                let [given, ..] = unsafe { vector([x; 16], |x| gate.apply(x, _mm512_set1_ps(3.0))) };
                let expected = 3.0 * function(f64::from(x));
                assert!((f64::from(given) - expected).abs() <= 1e-6 * expected.abs() + 1e-6, "{gate:?} of {x}: {given} for {expected}");
            }
        }
    }
}
