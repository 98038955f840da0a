//! Lowering of weights in 4-bit floats: products with them become `MatMulBnb4`, which reads the checkpoint's own bytes.

use std::collections::BTreeMap;

use super::{
    readers::{Lies, Reader},
    rewrite::rewrite,
};
use crate::{
    Dtype, Result,
    graph::{Attributes, Body, Graph, Node, Tensor, ValueId},
    layers::attention::DOMAIN,
    weights::four_bits::{FourBits, Kind},
};

/// A weight `[rows, columns]` from its bytes, the scales of blocks, and what each of the sixteen floats stands for.
const OP: &str = "FourBitsWeight";

/// The weight of such tensors, as [`lower`] finds it.
pub(crate) fn four_bits(graph: &Graph, about: &FourBits, [values, scales, map]: [&Tensor; 3]) -> Option<Tensor> {
    let [rows, columns] = about.shape;
    let attributes = Attributes::new().with("rows", rows).with("columns", columns).with("block_size", about.blocksize);
    let attributes = attributes.with("quant_type", usize::from(about.quant_type == Kind::Nf4));
    let inputs = [Some(values), Some(scales), Some(map)];
    graph.op(OP, DOMAIN, &inputs, attributes, &[(graph.float(), vec![rows.into(), columns.into()])]).into_iter().next()
}

/// Scales that are stored in 8 bits, as floats: what each byte stands for, times the scale of its group, plus an offset.
pub(crate) fn nested(about: &FourBits, [scales, map, groups]: [&Tensor; 3]) -> Tensor {
    let graph = scales.graph();
    let size = about.nested_blocksize.and_then(|size| i64::try_from(size).ok()).unwrap_or(1).max(1);
    let places = graph.range(&graph.ints(&[1], &[i64::try_from(about.blocks()).unwrap_or(i64::MAX)])) / graph.ints(&[], &[size]);
    let wide = map.gather(&scales.cast(Dtype::I32), 0) * groups.gather(&places, 0);
    wide + about.nested_offset.unwrap_or(0.0)
}

pub(super) fn lower(body: Body) -> Result<Body> {
    let mut layers: BTreeMap<ValueId, Node> = BTreeMap::new();
    rewrite(body, |graph, node| {
        if node.domain == DOMAIN && node.op == OP {
            let dense = dense(graph, node)?;
            layers.insert(dense.id(), node.clone());
            return Some(vec![dense]);
        }
        match Reader::of(node)? {
            Reader::Linear(x, w, Lies::ByRows) => Some(vec![product(graph, layers.get(&w)?, x)?]),
            _ => None,
        }
    })
}

fn product(graph: &Graph, layer: &Node, x: ValueId) -> Option<Tensor> {
    let x = graph.handle(x);
    if x.dtype() != Dtype::F32 {
        return None;
    }
    let int = |name: &str| layer.attributes.int(name);
    let input = |i: usize| layer.inputs.get(i).copied().flatten().map(|id| graph.handle(id));
    let (values, scales) = (input(0)?, input(1)?);
    let mut shape = x.shape();
    *shape.last_mut()? = usize::try_from(int("rows")?).ok()?.into();
    let attributes = Attributes::new().with("K", int("columns")?).with("N", int("rows")?);
    let attributes = attributes.with("block_size", int("block_size")?).with("quant_type", int("quant_type")?);
    let inputs = [Some(&x), Some(&values), Some(&scales)];
    graph.op("MatMulBnb4", "com.microsoft", &inputs, attributes, &[(Dtype::F32, shape)]).into_iter().next()
}

/// The weight as floats, in operators that ONNX Runtime folds when it loads the graph.
fn dense(graph: &Graph, layer: &Node) -> Option<Tensor> {
    let input = |i: usize| layer.inputs.get(i).copied().flatten().map(|id| graph.handle(id));
    let int = |name: &str| layer.attributes.int(name).and_then(|n| usize::try_from(n).ok());
    let (bytes, scales, map) = (input(0)?.cast(Dtype::I32).reshape(&[(-1i64).into(), 1i64.into()]), input(1)?, input(2)?);
    let sixteen = graph.constant(Dtype::I32, &[], 16i32.to_le_bytes().to_vec());
    let upper = &bytes / &sixteen;
    let both = graph.concat(&[&upper, &(&bytes - &upper * &sixteen)], 1);
    let blocks = map.gather(&both, 0).reshape(&[(-1i64).into(), int("block_size")?.into()]);
    let weight = blocks * scales.reshape(&[(-1i64).into(), 1i64.into()]);
    Some(weight.reshape(&[int("rows")?.into(), int("columns")?.into()]).cast(graph.float()))
}
