//! Weights of 4-bit floats in blocks of 32 that share a power of two (<https://arxiv.org/abs/2310.10537>).

use crate::{
    Dtype, Error, Weights,
    graph::{Attributes, Dim, Tensor},
};

/// Weights that share a power of two, and the bytes that they take.
const BLOCK: usize = 32;
const BYTES: usize = BLOCK / 2;

/// One `(outputs, inputs)` of the matrices that a checkpoint stacks, from its own bytes: `{name}_blocks`, `(matrices, outputs, blocks, 16)`,
/// and `{name}_scales`, `(matrices, outputs, blocks)`.
///
/// It is widened whenever the graph runs, for a matrix that most runs do not need: only a row where `uses`, one number, is 0.
pub fn mxfp4(w: &Weights, name: &str, index: usize, uses: &Tensor) -> Tensor {
    let (graph, names) = (w.graph(), [format!("{name}_blocks"), format!("{name}_scales")]);
    let [blocks, scales] = names.each_ref().map(|name| w.shape(name).unwrap_or_default());
    let (&[_, outputs, count, BYTES], [_, scaled @ ..]) = (blocks.as_slice(), scales.as_slice()) else {
        let problem = format!("tensors {} and {} have shapes {blocks:?} and {scales:?}", w.key(&names[0]), w.key(&names[1]));
        graph.fail(Error::tensor(format!("{problem}, which are not those of mxfp4")));
        return graph.floats(&[1, 1], &[0.0]);
    };
    let [blocks, scales] = names;
    let values = w.bytes_of(&blocks, index, Dtype::F4E2M1, &[outputs, count.saturating_mul(BLOCK)]);
    // Scales are exponents, from -127 on.
    let powers: Vec<u8> = (0..=255).flat_map(|exponent| 2f32.powi(exponent - 127).to_le_bytes()).collect();
    let powers = graph.constant(Dtype::F32, &[256], powers).cast(graph.float());
    let scales = powers.gather(&w.bytes_of(&scales, index, Dtype::U8, scaled).cast(Dtype::I32), 0);

    let all = graph.ints(&[1], &[i64::try_from(outputs).unwrap_or(i64::MAX)]);
    let rows = graph.range(&uses.greater(&graph.ints(&[1], &[0])).select(&all, &graph.ints(&[1], &[1])));
    let attributes = Attributes::new().with("gather_axis", 0i64).with("quantize_axis", 1i64).with("block_size", BLOCK).with("bits", 4i64);
    let shape = vec![Dim::Unknown, count.saturating_mul(BLOCK).into()];
    let inputs = [Some(&values), Some(&rows), Some(&scales)];
    let found = graph.op("GatherBlockQuantized", "com.microsoft", &inputs, attributes, &[(graph.float(), shape)]).into_iter().next();
    found.unwrap_or(scales)
}
