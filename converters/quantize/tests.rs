//! Every kernel against what ONNX Runtime's tools made of the same weights (`scripts/goldens/quantize.py`), to the bit.

use super::*;
use crate::weights::Tensors;

const WEIGHTS: [&str; 5] = ["plain", "ragged", "one", "half", "brain"];

struct Golden(Tensors);

impl Golden {
    fn open() -> Self {
        let file = [env!("CARGO_MANIFEST_DIR"), "..", "tests", "goldens", "quantize", "cases.safetensors"].iter().collect();
        Self(Tensors::open(&[file]).unwrap())
    }

    fn with<T>(&self, name: &str, read: impl FnOnce(&Matrix) -> T) -> T {
        let info = self.0.get(name).unwrap();
        read(&Matrix::new(&self.0.bytes(name).unwrap(), info.dtype, info.shape[..].try_into().unwrap()).unwrap())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        self.0.bytes(name).unwrap().into_owned()
    }
}

fn bits(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn int8_per_channel_is_the_references() {
    let golden = Golden::open();
    for name in WEIGHTS {
        for (range, form) in [(Range::Full, "full"), (Range::Reduced, "reduced")] {
            let made = golden.with(name, |w| int8_per_channel(w, range)).unwrap();
            let values: Vec<u8> = made.values.iter().map(|v| *v as u8).collect();
            assert_eq!(bits(&made.scales), golden.bytes(&format!("{name}/int8/{form}/scales")), "{name} {form}");
            assert_eq!(values, golden.bytes(&format!("{name}/int8/{form}/values")), "{name} {form}");
        }
    }
}

#[test]
fn uint8_per_tensor_is_the_references() {
    let golden = Golden::open();
    for name in WEIGHTS {
        let made = golden.with(name, uint8_per_tensor).unwrap();
        assert_eq!(bits(&[made.scale]), golden.bytes(&format!("{name}/uint8/scale")), "{name}");
        assert_eq!([made.zero_point].to_vec(), golden.bytes(&format!("{name}/uint8/zero_point")), "{name}");
        assert_eq!(made.values, golden.bytes(&format!("{name}/uint8/values")), "{name}");
    }
}

#[test]
fn n_bits_is_the_references() {
    let golden = Golden::open();
    let weights = WEIGHTS.map(|name| (name, Dtype::F32, "f32")).into_iter().chain([("half", Dtype::F16, "f16")]);
    for (name, scale_dtype, dtype) in weights {
        for (bits_of, number) in [(Bits::Four, 4), (Bits::Eight, 8)] {
            for (symmetric, form) in [(true, "symmetric"), (false, "asymmetric")] {
                let options = NBits { bits: bits_of, symmetric, scale_dtype, ..NBits::default() };
                let made = golden.with(name, |w| n_bits(w, &options)).unwrap();
                let case = format!("{name}/q{number}/{dtype}/{form}");
                assert_eq!(bits(&made.scales), golden.bytes(&format!("{case}/scales")), "{case}");
                assert_eq!(made.values, golden.bytes(&format!("{case}/values")), "{case}");
                assert_eq!(made.zero_points, (!symmetric).then(|| golden.bytes(&format!("{case}/zero_points"))), "{case}");
            }
        }
    }
}

#[test]
fn gather_q4_is_the_references() {
    let golden = Golden::open();
    for name in ["plain", "half", "brain"] {
        let made = golden.with(name, |w| gather_q4(w, 32)).unwrap();
        assert_eq!(made.values, golden.bytes(&format!("{name}/gather/values")), "{name}");
        assert_eq!(made.scales, golden.0.to_f32(&format!("{name}/gather/scales")).unwrap(), "{name}");
    }
}

#[test]
fn float16_is_the_references() {
    let golden = Golden::open();
    for name in WEIGHTS.into_iter().chain(["edges"]) {
        let made = golden.with(name, to_float16);
        let values: Vec<u8> = made.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(values, golden.bytes(&format!("{name}/float16")), "{name}");
    }
    // 65519, ±65520 and ±1e30.
    assert_eq!(golden.with("edges", to_float16).clamped, 5);
}

#[test]
fn matrices_without_numbers_stay_empty() {
    for shape in [[0, 4], [4, 0], [0, 0]] {
        let empty = Matrix::new(&[], Dtype::F32, shape).unwrap();
        assert_eq!(int8_per_channel(&empty, Range::Full).unwrap(), Int8 { values: vec![], scales: vec![1.0; shape[0]] });
        assert_eq!(uint8_per_tensor(&empty).unwrap(), Uint8 { values: vec![], scale: 1.0, zero_point: 0 });
        assert_eq!(n_bits(&empty, &NBits::default()).unwrap(), Blocks { values: vec![], scales: vec![], zero_points: None });
        assert_eq!(gather_q4(&empty, 32).unwrap(), GatherBlocks { values: vec![], scales: vec![] });
        assert_eq!(to_float16(&empty).values, []);
    }
}

#[test]
fn refuses_what_cannot_be_quantized() {
    assert!(Matrix::new(&[0; 8], Dtype::I64, [1, 1]).unwrap_err().to_string().contains("not I64"));
    assert!(Matrix::new(&[0; 8], Dtype::F32, [1, 1]).unwrap_err().to_string().contains("8 bytes are not those of F32 [1, 1]"));
    let values = bits(&[0.0, 1.0, f32::NAN, 0.0]);
    let weights = Matrix::new(&values, Dtype::F32, [2, 2]).unwrap();
    let errors = [
        int8_per_channel(&weights, Range::Full).unwrap_err(),
        uint8_per_tensor(&weights).unwrap_err(),
        n_bits(&weights, &NBits::default()).unwrap_err(),
        gather_q4(&weights, 32).unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().contains("row 1 contains NaN"), "{error}");
    }
    let large = bits(&[1e9]);
    let large = Matrix::new(&large, Dtype::F32, [1, 1]).unwrap();
    let error = n_bits(&large, &NBits { scale_dtype: Dtype::F16, ..NBits::default() }).unwrap_err();
    assert!(error.to_string().contains("does not fit F16"), "{error}");
    assert!(n_bits(&large, &NBits { block_size: 24, ..NBits::default() }).is_err());
    assert!(gather_q4(&large, 32).unwrap_err().to_string().contains("odd"));
}

#[test]
fn scales_of_least_error_are_better_in_every_block() {
    let weights: Vec<f32> = (0..64 * 96).map(|i: i32| (i as f32 * 0.7).sin().powi(3) + (i % 7) as f32 * 0.1 - 0.3).collect();
    let bytes = bits(&weights);
    for [rows, columns] in [[64, 96], [96, 64]] {
        let matrix = Matrix::new(&bytes, Dtype::F32, [rows, columns]).unwrap();
        let usual = NBits { block_size: 32, ..NBits::default() };
        let errors = [usual, NBits { least_error: true, ..usual }].map(|options| errors(&weights, &n_bits(&matrix, &options).unwrap(), 32));
        assert!(errors[0].iter().zip(&errors[1]).all(|(usual, least)| least <= &(usual * 1.0001)), "{errors:?}");
        let sums = errors.map(|errors| errors.iter().sum::<f32>());
        assert!(sums[1] < 0.95 * sums[0], "{sums:?}");
    }
    // Larger blocks for matrices with more rows than columns.
    let blocks = |shape| n_bits(&Matrix::new(&bytes, Dtype::F32, shape).unwrap(), &NBits::compact()).unwrap().scales.len();
    assert_eq!((blocks([64, 96]), blocks([96, 64])), (64 * 3, 96));
}

/// The squared error of each block.
fn errors(weights: &[f32], blocks: &Blocks, size: usize) -> Vec<f32> {
    let numbers: Vec<f32> = blocks.values.iter().flat_map(|byte| [byte & 15, byte >> 4]).map(|n| f32::from(n) - 8.0).collect();
    let each = weights.chunks(size).zip(numbers.chunks(size)).zip(&blocks.scales);
    each.map(|((weights, numbers), scale)| weights.iter().zip(numbers).map(|(w, n)| (w - n * scale).powi(2)).sum()).collect()
}
