//! Weights in fewer bits: which initializers, and the operators that read them.

use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc};

use memmap2::Mmap;

use super::rewrite::rewrite;
use crate::{
    Dtype, Error, Result,
    graph::{Attributes, Body, Data, Dim, Graph, Node, Tensor, ValueId},
    quantize::{self, Matrix, Range},
};

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Storage {
    /// As 16-bit floats, computed with in the graph's own type.
    Float16,
    /// Linear layers in 8 bits with a scale for each output, multiplied with inputs that are quantized while the graph
    /// runs; embeddings in 8 bits with one scale. As ONNX Runtime's `quantize_dynamic(per_channel=True)` does it, but
    /// where a layer narrows (the second one of an MLP) each row of its input has a scale of its own: behind an
    /// activation function some tokens are larger than the others by far, and would leave these no precision.
    Int8,
}

/// Smaller weights stay as they are: biases and norms cost nothing and matter much.
const SMALL: usize = 1024;

/// Stores the weights of a graph in fewer bits.
pub fn store(body: Body, storage: Storage) -> Result<Body> {
    let mut pass = Pass {
        storage,
        files: BTreeMap::new(),
        origin: BTreeMap::new(),
        inputs: BTreeMap::new(),
        products: BTreeMap::new(),
        halves: BTreeMap::new(),
        error: None,
    };
    let body = rewrite(body, |graph, node| pass.replace(graph, node))?;
    match pass.error {
        Some(error) => Err(error),
        None => Ok(super::prune::prune(body)),
    }
}

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

struct Pass {
    storage: Storage,
    files: BTreeMap<Arc<Path>, Mmap>,
    /// The weight behind the output of a cast.
    origin: BTreeMap<ValueId, ValueId>,
    /// Activations that are quantized already.
    inputs: BTreeMap<(ValueId, bool), Quantized>,
    products: BTreeMap<ValueId, Product>,
    halves: BTreeMap<ValueId, Tensor>,
    error: Option<Error>,
}

impl Pass {
    fn replace(&mut self, graph: &Graph, node: &Node) -> Option<Vec<Tensor>> {
        if self.error.is_some() {
            return None;
        }
        let replaced = match self.storage {
            Storage::Float16 => self.half(graph, node),
            Storage::Int8 => self.int8(graph, node),
        };
        replaced.unwrap_or_else(|error| {
            self.error = Some(error);
            None
        })
    }

    /// Every operator that reads a large weight reads its half-precision copy, cast back.
    fn half(&mut self, graph: &Graph, node: &Node) -> Result<Option<Vec<Tensor>>> {
        if self.is_cast_of_weight(graph, node) {
            return Ok(None);
        }
        let mut changed = node.clone();
        for input in changed.inputs.iter_mut().flatten() {
            let Some(weight) = self.weight(graph, *input, 1) else { continue };
            let half = match self.halves.get(&weight) {
                Some(half) => half.clone(),
                None => {
                    let value = graph.value(weight);
                    let shape = fixed(&value.shape);
                    let values = self.read(graph, weight, &value.name, |bytes| {
                        let columns = shape.last().copied().unwrap_or(1).max(1);
                        let rows = shape.iter().product::<usize>() / columns;
                        Ok(quantize::to_float16(&Matrix::new(bytes, value.dtype, [rows, columns])?).values)
                    })?;
                    let bytes = bytemuck::cast_slice(&values).to_vec();
                    let half =
                        graph.stored(&format!("{}_fp16", value.name), Dtype::F16, &shape, Data::Inline(bytes.into())).cast(graph.float());
                    self.halves.insert(weight, half.clone());
                    half
                }
            };
            *input = half.id();
        }
        graph.push(changed.clone());
        Ok(Some(changed.outputs.iter().map(|&id| graph.handle(id)).collect()))
    }

    fn int8(&mut self, graph: &Graph, node: &Node) -> Result<Option<Vec<Tensor>>> {
        if self.is_cast_of_weight(graph, node) {
            return Ok(None);
        }
        let input = |i: usize| node.inputs.get(i).copied().flatten();
        match (node.op.as_str(), input(0), input(1)) {
            ("FusedMatMul", Some(x), Some(w)) if node.attributes.int("transB") == Some(1) => {
                if node.attributes.float("alpha").unwrap_or(1.0) != 1.0 {
                    return Ok(None);
                }
                self.linear(graph, x, w).map(|t| t.map(|t| vec![t]))
            }
            ("Add", Some(a), Some(b)) => Ok(self.biased(graph, a, b).or_else(|| self.biased(graph, b, a)).map(|t| vec![t])),
            ("Gather", Some(w), Some(indices)) if node.attributes.int("axis").unwrap_or(0) == 0 => {
                self.embedding(graph, w, indices).map(|t| t.map(|t| vec![t]))
            }
            _ => Ok(None),
        }
    }

    fn linear(&mut self, graph: &Graph, x: ValueId, w: ValueId) -> Result<Option<Tensor>> {
        let Some(weight) = self.weight(graph, w, 2) else { return Ok(None) };
        let value = graph.value(weight);
        let [out, width] = <[usize; 2]>::try_from(fixed(&value.shape)).unwrap_or_default();
        let int8 = self.read(graph, weight, &value.name, |bytes| {
            quantize::int8_per_channel(&Matrix::new(bytes, value.dtype, [out, width])?, Range::Full)
        })?;
        let values = bytemuck::cast_slice(&int8.values).to_vec();
        let weights = graph.stored(&format!("{}_quantized", value.name), Dtype::I8, &[width, out], Data::Inline(values.into()));
        let scales = graph.stored(
            &format!("{}_scale", value.name),
            Dtype::F32,
            &[out],
            Data::Inline(bytemuck::cast_slice(&int8.scales).to_vec().into()),
        );
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

    fn embedding(&mut self, graph: &Graph, w: ValueId, indices: ValueId) -> Result<Option<Tensor>> {
        let Some(weight) = self.weight(graph, w, 2) else { return Ok(None) };
        let value = graph.value(weight);
        let [rows, width] = <[usize; 2]>::try_from(fixed(&value.shape)).unwrap_or_default();
        let uint8 =
            self.read(graph, weight, &value.name, |bytes| quantize::uint8_per_tensor(&Matrix::new(bytes, value.dtype, [rows, width])?))?;
        let table = graph.stored(&format!("{}_gather_quantized", value.name), Dtype::U8, &[rows, width], Data::Inline(uint8.values.into()));
        let (scale, zero) = (graph.floats(&[], &[uint8.scale]), graph.constant(Dtype::U8, &[], vec![uint8.zero_point]));
        let found = table.gather(&graph.handle(indices), 0);
        Ok(graph
            .op("DequantizeLinear", "", &[Some(&found), Some(&scale), Some(&zero)], Attributes::new(), &[(Dtype::F32, found.shape())])
            .into_iter()
            .next())
    }

    /// The floating-point weight behind a value, if it is one of this rank or more that is worth storing in fewer bits.
    fn weight(&self, graph: &Graph, id: ValueId, rank: usize) -> Option<ValueId> {
        let id = self.origin.get(&id).copied().unwrap_or(id);
        let value = graph.value(id);
        let shape = fixed(&value.shape);
        let worthy = value.dtype.is_float() && value.dtype.bits() <= 32 && shape.len() >= rank && shape.iter().product::<usize>() >= SMALL;
        (worthy && graph.data(id).is_some()).then_some(id)
    }

    /// Notes a cast of a weight, so that its readers find the weight itself.
    fn is_cast_of_weight(&mut self, graph: &Graph, node: &Node) -> bool {
        let source = node.inputs.first().copied().flatten();
        let cast = source.filter(|&id| node.op == "Cast" && graph.data(id).is_some() && graph.value(id).dtype.is_float());
        if let (Some(id), Some(&output)) = (cast, node.outputs.first()) {
            self.origin.insert(output, id);
        }
        cast.is_some()
    }

    fn read<T>(&mut self, graph: &Graph, id: ValueId, name: &str, compute: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let computed = match graph.data(id) {
            Some(Data::Inline(bytes)) => compute(&bytes),
            Some(Data::Stored { file, offset, len }) => {
                let map = self.map(&file)?;
                let bytes = usize::try_from(offset).ok().and_then(|start| map.get(start..start.checked_add(usize::try_from(len).ok()?)?));
                compute(bytes.ok_or_else(|| Error::checkpoint(format!("{} has become shorter", file.display())))?)
            }
            None => Err(Error::tensor("not a weight")),
        };
        computed.map_err(|e| e.at(format!("tensor {name}")))
    }

    #[allow(unsafe_code)]
    fn map(&mut self, file: &Arc<Path>) -> Result<&Mmap> {
        if !self.files.contains_key(file) {
            let opened = File::open(file).map_err(|e| Error::io(file, e))?;
            // SAFETY: as for the checkpoint's own maps: nobody is expected to shorten a weight file while it is read.
            let map = unsafe { Mmap::map(&opened) }.map_err(|e| Error::io(file, e))?;
            self.files.insert(file.clone(), map);
        }
        self.files.get(file).ok_or_else(|| Error::checkpoint(format!("{} is not open", file.display())))
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

fn fixed(shape: &[Dim]) -> Vec<usize> {
    shape.iter().map(|d| d.fixed().unwrap_or_default()).collect()
}
