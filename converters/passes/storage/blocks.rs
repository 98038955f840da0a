//! Weights in blocks of a row, which the operators widen while they compute.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use half::f16;

use super::{ACCURACY_LEVEL, Casts, Pass};
use crate::{
    Dtype, Result,
    graph::{Attributes, Computed, Data, Dim, Graph, Node, Tensor, ValueId},
    passes::readers::{Lies, Reader, with_bytes},
    quantize::{self, Bits, Matrix, NBits},
};

pub(super) struct Blocks {
    options: NBits,
    /// By where the weight is stored: a head that is tied to the embeddings shares theirs, even under a key of its own.
    packed: BTreeMap<(Option<Arc<Path>>, u64, Lies), Packed>,
    products: BTreeMap<ValueId, Product>,
}

/// The inputs of attention that may come as one: queries, keys and values.
const PROJECTIONS: usize = 3;

/// A weight in blocks.
#[derive(Clone)]
struct Packed {
    options: NBits,
    /// Weights that share a scale.
    block_size: usize,
    rows: usize,
    width: usize,
    /// For `MatMulNBits`: `[rows, blocks, bytes of a block]`.
    values: Tensor,
    /// The same bytes for `GatherBlockQuantized`: `[rows, bytes of a row]`.
    table: Tensor,
    /// `[rows, blocks]`
    scales: Tensor,
    zero_points: Option<Tensor>,
}

/// A product with a weight: its operands, in case that a bias follows, or attention.
#[derive(Clone)]
struct Product {
    x: Tensor,
    weight: Packed,
    bias: Option<Tensor>,
    shape: Vec<Dim>,
}

impl Pass for Blocks {
    fn replace(&mut self, graph: &Graph, node: &mut Node, casts: &Casts) -> Result<Option<Vec<Tensor>>> {
        if !matches!(graph.float(), Dtype::F32 | Dtype::F16) {
            return Ok(None);
        }
        if node.op == "GroupQueryAttention" {
            self.join(graph, node);
        }
        let replaced = match Reader::of(node) {
            Some(Reader::Linear(x, w, lies)) => self.linear(graph, x, w, lies, casts),
            Some(Reader::Sum(a, b)) => self.biased(graph, a, b, casts).or_else(|| self.biased(graph, b, a, casts)),
            Some(Reader::Lookup(w, indices)) => self.embedding(graph, w, indices, casts),
            None => None,
        };
        Ok(replaced.map(|tensor| vec![tensor]))
    }
}

impl Blocks {
    pub(super) fn new(options: NBits) -> Self {
        Self { options, packed: BTreeMap::new(), products: BTreeMap::new() }
    }

    fn linear(&mut self, graph: &Graph, x: ValueId, w: ValueId, lies: Lies, casts: &Casts) -> Option<Tensor> {
        let weight = self.packed(graph, casts.weight(graph, w, 2)?, lies)?;
        let x = graph.handle(x);
        let mut shape = x.shape();
        *shape.last_mut()? = weight.rows.into();
        self.product(graph, Product { x, weight, bias: None, shape })
    }

    fn product(&mut self, graph: &Graph, product: Product) -> Option<Tensor> {
        let y = product.apply(graph)?;
        self.products.insert(y.id(), product);
        Some(y)
    }

    /// The sum of a product and its bias, as one operator: the product alone is pruned if nothing else reads it.
    fn biased(&mut self, graph: &Graph, x: ValueId, bias: ValueId, casts: &Casts) -> Option<Tensor> {
        let product = self.products.get(&x).filter(|product| product.bias.is_none())?.clone();
        let value = graph.value(bias);
        let fits = value.dtype == product.x.dtype() && value.shape == [Dim::Fixed(product.weight.rows)];
        (fits && casts.is_constant(graph, bias)).then(|| self.product(graph, Product { bias: Some(graph.handle(bias)), ..product }))?
    }

    /// Attention whose queries, keys and values are products of the same hidden states takes them as one product, which costs less
    /// than three: with one token, most of a small product is getting the threads to it.
    fn join(&mut self, graph: &Graph, node: &mut Node) {
        let ids: Option<Vec<ValueId>> = (0..PROJECTIONS).map(|i| node.inputs.get(i).copied().flatten()).collect();
        let products: Option<Vec<Product>> = ids.iter().flatten().map(|id| self.products.get(id).cloned()).collect();
        let Some(products) = products.filter(|products| products.len() == PROJECTIONS) else { return };
        let joined = Product::joined(graph, &products).and_then(|product| self.product(graph, product));
        if let (Some(joined), [query, key, value, ..]) = (joined, &mut node.inputs[..]) {
            (*query, *key, *value) = (Some(joined.id()), None, None);
        }
    }

    fn embedding(&mut self, graph: &Graph, w: ValueId, indices: ValueId, casts: &Casts) -> Option<Tensor> {
        let Packed { block_size, width, table, scales, zero_points, .. } = self.packed(graph, casts.weight(graph, w, 2)?, Lies::ByRows)?;
        let blocks = scales.fixed(-1);
        // ONNX Runtime 1.23 reads wrong zero points where those of a row do not fill their bytes.
        if zero_points.is_some() && self.options.bits == Bits::Four && !blocks.is_multiple_of(2) {
            return None;
        }
        let indices = graph.handle(indices);
        let mut shape = indices.shape();
        shape.push((blocks * block_size).into());
        let attributes = attributes(self.options, block_size).with("gather_axis", 0i64).with("quantize_axis", 1i64);
        let inputs = [Some(&table), Some(&indices), Some(&scales), zero_points.as_ref()];
        let inputs = if zero_points.is_some() { &inputs[..] } else { &inputs[..3] };
        let found = graph.op("GatherBlockQuantized", "com.microsoft", inputs, attributes, &[(scales.dtype(), shape)]).into_iter().next()?;
        // The last block of a row may be longer than the row.
        Some(if width < found.fixed(-1) { found.slice(-1, 0, width as i64) } else { found })
    }

    /// A matrix in blocks, quantized once however many operators read it.
    fn packed(&mut self, graph: &Graph, weight: ValueId, lies: Lies) -> Option<Packed> {
        let value = graph.value(weight);
        let [rows, width] = lies.sizes(&value.shape)?;
        let data = graph.data(weight)?;
        let key = match &data {
            Data::Stored { file, offset, .. } => (Some(file.clone()), *offset, lies),
            _ => (None, weight.0 as u64, lies),
        };
        if let Some(packed) = self.packed.get(&key) {
            return Some(packed.clone());
        }
        let options = NBits { scale_dtype: graph.float(), ..self.options };
        let name = value.name.clone();
        let parts = Arc::new(Computed::new(move || {
            let made = with_bytes(&data, |bytes| parts(&lies.matrix(bytes, value.dtype, [rows, width])?, &options));
            made.map_err(|e| e.at(format!("tensor {}", value.name)))
        }));
        let block_size = options.block_size_of(rows, width);
        let packed = Packed::stored(graph, &name, (options, block_size), [rows, width], &parts)?;
        self.packed.insert(key, packed.clone());
        Some(packed)
    }
}

impl Packed {
    /// Several matrices of one width as one, the rows of each below those of the one before.
    fn joined(graph: &Graph, parts: &[&Self]) -> Option<Self> {
        let first = parts.first()?;
        let alike = parts.iter().all(|part| (part.width, part.options, part.block_size) == (first.width, first.options, first.block_size));
        let each: Vec<Arc<Computed>> = parts.iter().filter_map(|part| part.computed(graph)).collect();
        if !alike || each.len() != parts.len() {
            return None;
        }
        let computed = Arc::new(Computed::new(move || {
            let each = each.iter().map(|part| part.compute()).collect::<Result<Vec<_>>>()?;
            let kinds = each.iter().map(Vec::len).min().unwrap_or(0);
            Ok((0..kinds).map(|kind| each.iter().filter_map(|part| part.get(kind)).flatten().copied().collect()).collect())
        }));
        let rows = parts.iter().map(|part| part.rows).sum();
        let name = parts.iter().map(|part| graph.value(part.values.id()).name).collect::<Vec<_>>().join("+");
        Self::stored(graph, &name, (first.options, first.block_size), [rows, first.width], &computed)
    }

    /// What computes its tensors.
    fn computed(&self, graph: &Graph) -> Option<Arc<Computed>> {
        match graph.data(self.values.id())? {
            Data::Computed { parts, .. } => Some(parts),
            _ => None,
        }
    }

    /// The tensors of a matrix, by what computes them.
    fn stored(
        graph: &Graph,
        name: &str,
        (options, block_size): (NBits, usize),
        [rows, width]: [usize; 2],
        parts: &Arc<Computed>,
    ) -> Option<Self> {
        let stored = |end: &str, part, dtype: Dtype, shape: &[usize]| {
            let len = dtype.bytes(shape)?;
            Some(graph.stored(&format!("{name}_{end}"), dtype, shape, Data::Computed { parts: parts.clone(), part, len }))
        };
        let bits = options.bits.count();
        let (blocks, block_bytes) = (width.div_ceil(block_size), block_size * bits / 8);
        Some(Self {
            options,
            block_size,
            rows,
            width,
            values: stored(&format!("Q{bits}"), 0, Dtype::U8, &[rows, blocks, block_bytes])?,
            table: stored(&format!("Q{bits}_rows"), 0, Dtype::U8, &[rows, blocks * block_bytes])?,
            scales: stored("scales", 1, graph.float(), &[rows, blocks])?,
            zero_points: if options.symmetric {
                None
            } else {
                Some(stored("zero_points", 2, Dtype::U8, &[rows, (blocks * bits).div_ceil(8)])?)
            },
        })
    }
}

impl Product {
    /// Products of one tensor as one product, whose results lie behind one another.
    fn joined(graph: &Graph, products: &[Self]) -> Option<Self> {
        let first = products.first()?;
        let weights: Vec<&Packed> = products.iter().map(|product| &product.weight).collect();
        if products.iter().any(|product| product.x.id() != first.x.id()) {
            return None;
        }
        let weight = Packed::joined(graph, &weights)?;
        let bias = products.iter().any(|product| product.bias.is_some()).then(|| {
            let zeros = |product: &Self| graph.full(&[product.weight.rows.into()], 0.0, product.x.dtype());
            let biases: Vec<Tensor> = products.iter().map(|product| product.bias.clone().unwrap_or_else(|| zeros(product))).collect();
            graph.concat(&biases.iter().collect::<Vec<_>>(), 0)
        });
        let mut shape = first.shape.clone();
        *shape.last_mut()? = weight.rows.into();
        Some(Self { x: first.x.clone(), weight, bias, shape })
    }

    fn apply(&self, graph: &Graph) -> Option<Tensor> {
        let Packed { options, block_size, rows, width, values, scales, zero_points, .. } = &self.weight;
        let inputs = [Some(&self.x), Some(values), Some(scales), zero_points.as_ref(), None, self.bias.as_ref()];
        let count = inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let attributes = attributes(*options, *block_size).with("K", *width).with("N", *rows).with("accuracy_level", ACCURACY_LEVEL);
        let outputs = [(self.x.dtype(), self.shape.clone())];
        graph.op("MatMulNBits", "com.microsoft", inputs.get(..count)?, attributes, &outputs).into_iter().next()
    }
}

fn attributes(options: NBits, block_size: usize) -> Attributes {
    Attributes::new().with("bits", options.bits.count()).with("block_size", block_size)
}

/// The tensors of a weight as they are stored: the numbers, the scales, and the zero points if there are any.
fn parts(weights: &Matrix, options: &NBits) -> Result<Vec<Vec<u8>>> {
    let quantize::Blocks { values, scales, zero_points } = quantize::n_bits(weights, options)?;
    let scales = match options.scale_dtype {
        Dtype::F16 => scales.iter().flat_map(|&scale| f16::from_f32(scale).to_le_bytes()).collect(),
        _ => bytemuck::cast_slice(&scales).to_vec(),
    };
    Ok([values, scales].into_iter().chain(zero_points).collect())
}
