//! Weights in 8 bits, multiplied with inputs that are quantized while the graph runs.

use std::collections::BTreeMap;

use super::{Casts, Pass, parts};
use crate::{
    Dtype, Result,
    graph::{Attributes, Dim, Graph, Node, Size, Tensor, ValueId},
    passes::readers::{Lies, Reader, fixed},
    quantize::{self, Matrix, Range},
};

/// An activation in 8 bits.
#[derive(Clone)]
struct Quantized {
    values: Tensor,
    /// One for all values, or one for each row.
    scale: Tensor,
    zero: Tensor,
    by_row: bool,
}

/// A product with a weight: its operands, in case that a bias follows.
#[derive(Clone)]
struct Product {
    x: Quantized,
    weights: Tensor,
    scales: Tensor,
    shape: Vec<Dim>,
}

#[derive(Default)]
pub(super) struct Int8 {
    /// Activations that are quantized already.
    inputs: BTreeMap<(ValueId, bool), Quantized>,
    products: BTreeMap<ValueId, Product>,
}

impl Pass for Int8 {
    fn replace(&mut self, graph: &Graph, node: &mut Node, casts: &Casts) -> Result<Option<Vec<Tensor>>> {
        let replaced = match Reader::of(node) {
            Some(Reader::Linear(x, w, lies)) => self.linear(graph, x, w, lies, casts)?,
            Some(Reader::Sum(a, b)) => self.biased(graph, a, b).or_else(|| self.biased(graph, b, a)),
            Some(Reader::Lookup(w, indices)) => embedding(graph, w, indices, casts)?,
            None => None,
        };
        Ok(replaced.map(|tensor| vec![tensor]))
    }
}

impl Int8 {
    fn linear(&mut self, graph: &Graph, x: ValueId, w: ValueId, lies: Lies, casts: &Casts) -> Result<Option<Tensor>> {
        let Some(weight) = casts.weight(graph, w, 2) else { return Ok(None) };
        let value = graph.value(weight);
        let Some([out, width]) = lies.sizes(&value.shape) else { return Ok(None) };
        let stored = parts(graph, weight, move |bytes| {
            let int8 = quantize::int8_per_channel(&lies.matrix(bytes, value.dtype, [out, width])?, Range::Full)?;
            Ok(vec![bytemuck::cast_slice(&int8.values).to_vec(), bytemuck::cast_slice(&int8.scales).to_vec()])
        })?;
        let weights = stored("quantized", 0, Dtype::I8, &[width, out])?;
        let scales = stored("scale", 1, Dtype::F32, &[out])?;
        let x = graph.handle(x);
        let mut shape = x.shape();
        if let Some(last) = shape.last_mut() {
            *last = out.into();
        }
        let key = (x.id(), out < width);
        let x = match self.inputs.get(&key) {
            Some(quantized) => quantized.clone(),
            None => {
                let quantized = if key.1 { quantized_rows(graph, &x, width) } else { quantized(graph, &x) };
                let Some(quantized) = quantized else { return Ok(None) };
                self.inputs.entry(key).or_insert(quantized).clone()
            }
        };
        let product = Product { x, weights, scales, shape };
        let y = product.apply(graph, None);
        if let Some(y) = &y {
            self.products.insert(y.id(), product);
        }
        Ok(y)
    }

    /// The sum of a product and its bias, as one operator: the product alone is pruned if nothing else reads it.
    fn biased(&self, graph: &Graph, x: ValueId, bias: ValueId) -> Option<Tensor> {
        let product = self.products.get(&x).filter(|product| !product.x.by_row)?;
        let value = graph.value(bias);
        let fits = value.dtype == Dtype::F32 && product.shape.last().is_some_and(|width| value.shape == [width.clone()]);
        (fits && graph.data(bias).is_some()).then(|| product.apply(graph, Some(&graph.handle(bias))))?
    }
}

impl Product {
    fn apply(&self, graph: &Graph, bias: Option<&Tensor>) -> Option<Tensor> {
        let Quantized { values, scale, zero, by_row } = &self.x;
        let one = graph.floats(&[], &[1.0]);
        let inputs =
            [Some(values), Some(&self.weights), Some(if *by_row { &one } else { scale }), Some(&self.scales), Some(zero), None, bias];
        let inputs = if bias.is_some() { &inputs[..] } else { &inputs[..5] };
        let outputs = [(Dtype::F32, self.shape.clone())];
        let y = graph.op("MatMulIntegerToFloat", "com.microsoft", inputs, Attributes::new(), &outputs).into_iter().next()?;
        Some(if *by_row { &y * scale } else { y })
    }
}

/// An activation with one scale and one zero point, found while the graph runs.
fn quantized(graph: &Graph, x: &Tensor) -> Option<Quantized> {
    let outputs = [(Dtype::U8, x.shape()), (Dtype::F32, vec![]), (Dtype::U8, vec![])];
    let found = graph.op("DynamicQuantizeLinear", "", &[Some(x)], Attributes::new(), &outputs);
    let [values, scale, zero] = <[Tensor; 3]>::try_from(found).ok()?;
    Some(Quantized { values, scale, zero, by_row: false })
}

/// An activation whose rows, of this width, have a scale each: their largest magnitude is 127 steps from zero.
fn quantized_rows(graph: &Graph, x: &Tensor, width: usize) -> Option<Quantized> {
    let largest = x.reduce_max(&[-1], true).max(&-&x.reduce_min(&[-1], true));
    // What has no rows at all, as the part of an expert that no token has chosen, keeps its width where ONNX Runtime reduces it.
    let largest = if x.shape().contains(&Dim::Unknown) { largest.reshape(&one_wide(x.rank())) } else { largest };
    let scale = &largest.max(&graph.floats(&[], &[1e-30])) * (1.0 / 127.0);
    // Operators that take one zero point for each row want it as a tensor of that shape.
    let ones = vec![1; x.rank()];
    let shape = graph.op("Shape", "", &[Some(&scale)], Attributes::new(), &[(Dtype::I64, vec![x.rank().into()])]);
    let zeros = [Some(&graph.constant(Dtype::U8, &ones, vec![128])), shape.first()];
    let zeros = graph.op("Expand", "", &zeros, Attributes::new(), &[(Dtype::U8, scale.shape())]);
    let blocks = Attributes::new().with("axis", -1i64).with("block_size", width);
    let values = graph.op("QuantizeLinear", "", &[Some(x), Some(&scale), zeros.first()], blocks, &[(Dtype::U8, x.shape())]);
    let zero = graph.constant(Dtype::U8, &[], vec![128]);
    Some(Quantized { values: values.into_iter().next()?, scale, zero, by_row: true })
}

/// The shape of a tensor of this rank with a last dimension of 1 and the others as they are.
fn one_wide(rank: usize) -> Vec<Size> {
    (0..rank).map(|axis| Size::from(i64::from(axis + 1 == rank))).collect()
}

fn embedding(graph: &Graph, w: ValueId, indices: ValueId, casts: &Casts) -> Result<Option<Tensor>> {
    let Some(weight) = casts.weight(graph, w, 2) else { return Ok(None) };
    let value = graph.value(weight);
    let [rows, width] = <[usize; 2]>::try_from(fixed(&value.shape)).unwrap_or_default();
    let stored = parts(graph, weight, move |bytes| {
        let uint8 = quantize::uint8_per_tensor(&Matrix::new(bytes, value.dtype, [rows, width])?)?;
        Ok(vec![uint8.values, uint8.scale.to_le_bytes().to_vec(), vec![uint8.zero_point]])
    })?;
    let table = stored("gather_quantized", 0, Dtype::U8, &[rows, width])?;
    let (scale, zero) = (stored("gather_scale", 1, Dtype::F32, &[])?, stored("gather_zero_point", 2, Dtype::U8, &[])?);
    let found = table.gather(&graph.handle(indices), 0);
    Ok(graph
        .op("DequantizeLinear", "", &[Some(&found), Some(&scale), Some(&zero)], Attributes::new(), &[(Dtype::F32, found.shape())])
        .into_iter()
        .next())
}
