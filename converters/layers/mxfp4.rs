//! Weights of 4-bit floats in blocks of 32 that share a power of two (<https://arxiv.org/abs/2310.10537>).

use crate::{
    Dtype, Error, Weights,
    graph::Tensor,
    passes,
    quantize::{Layout, Packing},
};

/// Weights that share a power of two, and the bytes that they take.
const BLOCK: usize = 32;
const BYTES: usize = BLOCK / 2;

/// One `(outputs, inputs)` of the matrices that a checkpoint stacks, from its own bytes: `{name}_blocks`, `(matrices, outputs, blocks, 16)`,
/// and `{name}_scales`, `(matrices, outputs, blocks)`.
pub fn mxfp4(w: &Weights, name: &str, index: usize) -> Tensor {
    let (graph, names) = (w.graph(), [format!("{name}_blocks"), format!("{name}_scales")]);
    let [blocks, scales] = names.each_ref().map(|name| w.shape(name).unwrap_or_default());
    let (&[_, rows, count, BYTES], [_, scaled @ ..]) = (blocks.as_slice(), scales.as_slice()) else {
        let problem = format!("tensors {} and {} have shapes {blocks:?} and {scales:?}", w.key(&names[0]), w.key(&names[1]));
        graph.fail(Error::tensor(format!("{problem}, which are not those of mxfp4")));
        return graph.floats(&[1, 1], &[0.0]);
    };
    if *scaled != [rows, count] {
        graph.fail(Error::tensor(format!("tensor {} has shape {scales:?}, which does not fit {blocks:?}", w.key(&names[1]))));
    }
    let [blocks, scales] = names;
    let values = w.bytes_of(&blocks, index, Dtype::U8, &[rows, count.saturating_mul(BYTES)]);
    let scales = w.bytes_of(&scales, index, Dtype::U8, &[rows, count]);
    let columns = count.saturating_mul(BLOCK);
    let packing = Packing { layout: Layout::HalfSteps, bits: 8, rows, columns, group: BLOCK, row_group: 1, zero_offset: 0 };
    let weight = passes::packed(graph, &packing, 0.5, [Some(&values), Some(&scales), None, None]);
    weight.unwrap_or_else(|| graph.floats(&[1, 1], &[0.0]))
}
