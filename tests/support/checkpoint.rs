//! A checkpoint of random numbers.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Numbers between -1 and 1 that look random.
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Writes `model.safetensors` with tensors of these names and shapes, of numbers up to a size, and says where it is.
pub(crate) fn write_checkpoint(folder: &Path, tensors: &[(&str, &[usize])], size: f32) -> PathBuf {
    let (mut header, mut bytes) = (BTreeMap::new(), Vec::new());
    for (seed, (name, shape)) in tensors.iter().enumerate() {
        let start = bytes.len();
        let values = numbers(shape.iter().product(), seed as u64 + 1);
        bytes.extend(values.iter().flat_map(|value| (value * size).to_le_bytes()));
        header.insert(name, serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, bytes.len()]}));
    }
    let header = serde_json::to_vec(&header).unwrap();
    let path = folder.join("model.safetensors");
    fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], &header, &bytes].concat()).unwrap();
    path
}
