//! The numbers, and how they are rounded to a type.

use half::{bf16, f16, slice::HalfFloatSliceExt};

use crate::weights::{Dtype, Tensor};

/// Numbers that are drawn at once.
const CHUNK: u64 = 1 << 16;

/// The bytes of a tensor of this name, little-endian, in pieces of bounded size.
pub(crate) fn pieces<E>(tensor: &Tensor, name: &str, seed: u64, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let (key, count) = (key(name, seed), tensor.count());
    let (mut numbers, mut bytes) = (Vec::new(), Vec::new());
    for start in (0..count).step_by(CHUNK as usize) {
        numbers.clear();
        numbers.extend((start..count.min(start + CHUNK)).map(|index| number(key.wrapping_add(index), tensor.mean, tensor.scale)));
        rounded(&numbers, tensor.dtype, &mut bytes);
        each(&bytes)?;
    }
    Ok(())
}

/// FNV-1a of the name in 64 bits, and the seed.
fn key(name: &str, seed: u64) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)) ^ seed
}

fn number(state: u64, mean: f32, scale: f32) -> f32 {
    let bits = split_mix(state);
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    // The difference is exact. The product and the sum are rounded each: fused, they would be another number.
    (sum as f32 - 131_070.0) * scale + mean
}

/// The first number of SplitMix64 from this state.
fn split_mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Half to even, for integers as well.
fn rounded(numbers: &[f32], dtype: Dtype, bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(numbers.len() * dtype.size(), 0);
    match dtype {
        Dtype::F64 => store(numbers, bytes, |number| f64::from(number).to_le_bytes()),
        Dtype::F32 => store(numbers, bytes, f32::to_le_bytes),
        Dtype::F16 => {
            let mut halves = vec![f16::ZERO; numbers.len()];
            halves.convert_from_f32_slice(numbers);
            store(&halves, bytes, f16::to_le_bytes);
        }
        Dtype::BF16 => store(numbers, bytes, |number| bf16::from_f32(number).to_le_bytes()),
        Dtype::I64 => store(numbers, bytes, |number| (number.round_ties_even() as i64).to_le_bytes()),
        Dtype::I32 => store(numbers, bytes, |number| (number.round_ties_even() as i32).to_le_bytes()),
    }
}

fn store<T: Copy, const SIZE: usize>(numbers: &[T], bytes: &mut [u8], of: impl Fn(T) -> [u8; SIZE]) {
    for (number, place) in numbers.iter().zip(bytes.chunks_exact_mut(SIZE)) {
        place.copy_from_slice(&of(*number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of other programs: the published test vectors of both functions.
    #[test]
    fn the_functions_are_those_of_their_names() {
        assert_eq!(key("", 0), 0xcbf2_9ce4_8422_2325);
        assert_eq!(key("foobar", 0), 0x8594_4171_f739_67e8);
        assert_eq!(key("foobar", 1), 0x8594_4171_f739_67e9);
        assert_eq!(split_mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(split_mix(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn numbers_are_spread_as_asked() {
        let numbers: Vec<f32> = (0..100_000).map(|index| number(index, 0.5, 2.0 / 37_837.2)).collect();
        let mean = numbers.iter().sum::<f32>() / 1e5;
        let deviation = (numbers.iter().map(|number| (number - mean).powi(2)).sum::<f32>() / 1e5).sqrt();
        assert!((mean - 0.5).abs() < 0.02 && (deviation - 2.0).abs() < 0.02, "{mean} {deviation}");
    }

    #[test]
    fn halves_go_to_even() {
        let mut bytes = Vec::new();
        rounded(&[0.5, 1.5, -1.5], Dtype::I32, &mut bytes);
        assert_eq!(bytes, [0, 2, -2].map(i32::to_le_bytes).concat());
        // 1 and a half of the last place, 1 and three halves.
        rounded(&[f32::from_bits(0x3f80_8000), f32::from_bits(0x3f81_8000)], Dtype::BF16, &mut bytes);
        assert_eq!(bytes, [0x80, 0x3f, 0x82, 0x3f]);
        rounded(&[1.0 + 2f32.powi(-11), 1.0 + 3.0 * 2f32.powi(-11), 2f32.powi(-25)], Dtype::F16, &mut bytes);
        assert_eq!(bytes, [0x00, 0x3c, 0x02, 0x3c, 0x00, 0x00]);
    }
}
