//! Lowering of weights that a checkpoint stores as integers: products with them become `MatMulNBits`, and whatever else reads them gets
//! the numbers themselves.

use std::{collections::BTreeMap, sync::Arc};

mod source;

use source::{Fit, Source};

use super::{
    rewrite::rewrite,
    storage::{Lies, Reader, with_bytes},
};
use crate::{
    Dtype, Error, Result,
    graph::{Attributes, Body, Computed, Data, Dim, Graph, Node, Tensor, ValueId},
    layers::attention::DOMAIN,
    quantize::{Layout, Packing},
};

/// A weight `[rows, columns]` from its integers, their scales, and zero points and the groups of columns where there are any.
const OP: &str = "PackedWeight";

/// How precisely `MatMulNBits` computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accuracy {
    /// In 32-bit floats.
    Full = 1,
    /// With inputs in 8-bit integers, where the processor has instructions for them.
    Int8 = 4,
}

/// The weight of such tensors, as [`unpack`] finds it.
pub(crate) fn packed(graph: &Graph, packing: &Packing, parts: [Option<&Tensor>; 4]) -> Option<Tensor> {
    let Packing { layout, bits, rows, columns, group, row_group, zero_offset } = *packing;
    let attributes = Attributes::new().with("layout", layout.number()).with("bits", bits).with("rows", rows).with("columns", columns);
    let attributes = attributes.with("group", group).with("row_group", row_group).with("zero_offset", zero_offset);
    let outputs = [(graph.float(), vec![rows.into(), columns.into()])];
    graph.op(OP, DOMAIN, &parts, attributes, &outputs).into_iter().next()
}

/// The bytes that the packed weights of a graph take.
pub fn packed_size(body: &Body) -> u64 {
    let values = body.nodes.iter().filter(|node| is_packed(node)).filter_map(|node| node.inputs.first().copied().flatten());
    values.filter_map(|id| body.initializers.get(&id)).map(Data::size).sum()
}

/// Lowers weights that are stored as integers.
///
/// # Errors
/// A file that cannot be read.
pub fn unpack(body: Body) -> Result<Body> {
    lower(body, Accuracy::Full)
}

pub(super) fn lower(body: Body, accuracy: Accuracy) -> Result<Body> {
    if packed_size(&body) == 0 {
        return Ok(body);
    }
    let mut layers: BTreeMap<ValueId, Layer> = BTreeMap::new();
    let mut products: BTreeMap<ValueId, Product> = BTreeMap::new();
    let mut failed = None;
    let body = rewrite(body, |graph, node| {
        if is_packed(node) {
            let made = Layer::read(graph, node).and_then(|layer| Ok((layer.dense(graph)?, layer)));
            return match made {
                Ok((dense, layer)) => {
                    layers.insert(dense.id(), layer);
                    Some(vec![dense])
                }
                Err(error) => {
                    failed.get_or_insert(error);
                    None
                }
            };
        }
        match Reader::of(node)? {
            Reader::Linear(x, w, Lies::ByRows) => {
                let product = Product::new(graph, layers.get_mut(&w)?, x)?;
                let y = product.apply(graph, accuracy, None)?;
                products.insert(y.id(), product);
                Some(vec![y])
            }
            Reader::Sum(a, b) => [(a, b), (b, a)].into_iter().find_map(|(x, bias)| {
                let product = products.get(&x)?;
                let value = graph.value(bias);
                // A bias may be stored in another type, and cast.
                let fits = value.dtype == product.x.dtype() && value.shape == [Dim::Fixed(product.rows)] && graph.data(bias).is_some();
                fits.then(|| product.apply(graph, accuracy, Some(&graph.handle(bias)))).flatten().map(|y| vec![y])
            }),
            Reader::Linear(..) | Reader::Lookup(..) => None,
        }
    })?;
    failed.map_or_else(|| Ok(super::prune::prune(body)), Err)
}

fn is_packed(node: &Node) -> bool {
    node.domain == DOMAIN && node.op == OP
}

/// One packed weight.
struct Layer {
    name: String,
    packing: Packing,
    source: Arc<Source>,
    /// Whether, and how, the operator can have it.
    fit: Option<Fit>,
    /// Its tensors, made when the first product asks for them.
    tensors: Option<[Tensor; 3]>,
}

/// A product with a packed weight.
struct Product {
    x: Tensor,
    rows: usize,
    columns: usize,
    bits: usize,
    block: usize,
    /// Values, scales, and zero points unless they are in the middle.
    weight: [Option<Tensor>; 3],
    shape: Vec<Dim>,
}

impl Layer {
    fn read(graph: &Graph, node: &Node) -> Result<Self> {
        let attribute = |name: &str| node.attributes.int(name).and_then(|n| usize::try_from(n).ok());
        let read = || {
            Some(Packing {
                layout: Layout::of_number(attribute("layout")?)?,
                bits: attribute("bits")?,
                rows: attribute("rows")?,
                columns: attribute("columns")?,
                group: attribute("group")?,
                row_group: attribute("row_group")?,
                zero_offset: attribute("zero_offset")?,
            })
        };
        let missing = || Error::tensor("a packed weight lacks a part");
        let packing = read().ok_or_else(missing)?;
        let part = |i: usize| node.inputs.get(i).copied().flatten().and_then(|id| Some((graph.value(id), graph.data(id)?)));
        let ((values, data), (scale, scales)) = (part(0).ok_or_else(missing)?, part(1).ok_or_else(missing)?);
        let at = |e: Error| e.at(format!("tensor {}", values.name));
        let groups = match part(3) {
            Some((value, data)) => with_bytes(&data, |bytes| source::groups(bytes, value.dtype, &packing)).map_err(at)?,
            None => packing.places(),
        };
        let zeros = part(2).map(|(_, data)| data);
        let source = Source { packing, values: data, dtype: values.dtype, scales: (scales, scale.dtype), zeros, groups };
        let fit = source.fit(graph.float()).map_err(at)?;
        Ok(Self { name: values.name, packing, source: Arc::new(source), fit, tensors: None })
    }

    /// The weight as floats; computed only where something reads it.
    fn dense(&self, graph: &Graph) -> Result<Tensor> {
        let Packing { rows, columns, .. } = self.packing;
        let len = Dtype::F32.bytes(&[rows, columns]).ok_or_else(|| Error::tensor(format!("{} is too large", self.name)))?;
        let (source, name) = (self.source.clone(), self.name.clone());
        let parts = Arc::new(Computed::new(move || {
            let weights = source.dense().map_err(|e| e.at(format!("tensor {name}")))?;
            Ok(vec![bytemuck::cast_slice(&weights).to_vec()])
        }));
        let name = format!("{}_dense", self.name);
        Ok(graph.stored(&name, Dtype::F32, &[rows, columns], Data::Computed { parts, part: 0, len }).cast(graph.float()))
    }

    /// Values, scales and zero points for the operator.
    fn blocked(&mut self, graph: &Graph, fit: &Fit) -> Option<[Tensor; 3]> {
        if let Some(tensors) = &self.tensors {
            return Some(tensors.clone());
        }
        let Packing { rows, columns, .. } = self.packing;
        let (source, name, float, how) = (self.source.clone(), self.name.clone(), graph.float(), fit.clone());
        let parts = Arc::new(Computed::new(move || {
            let unpacked = source.unpacked().map_err(|e| e.at(format!("tensor {name}")))?;
            let made = unpacked.blocked(how.block, how.order.as_deref());
            let scales = match float {
                Dtype::F16 => made.scales.iter().flat_map(|&scale| half::f16::from_f32(scale).to_le_bytes()).collect(),
                _ => bytemuck::cast_slice(&made.scales).to_vec(),
            };
            Ok(vec![made.values, scales, made.zero_points])
        }));
        let bits = self.packing.stored_bits().count();
        let blocks = columns.div_ceil(fit.block);
        let stored = |end: &str, part, dtype: Dtype, shape: &[usize]| {
            let data = Data::Computed { parts: parts.clone(), part, len: dtype.bytes(shape)? };
            Some(graph.stored(&format!("{}_{end}", self.name), dtype, shape, data))
        };
        let tensors = [
            stored("blocks", 0, Dtype::U8, &[rows, blocks, fit.block * bits / 8])?,
            stored("scales", 1, float, &[rows, blocks])?,
            stored("zero_points", 2, Dtype::U8, &[rows, (blocks * bits).div_ceil(8)])?,
        ];
        self.tensors = Some(tensors.clone());
        Some(tensors)
    }
}

impl Product {
    fn new(graph: &Graph, layer: &mut Layer, x: ValueId) -> Option<Self> {
        let fit = layer.fit.clone()?;
        let Packing { rows, columns, .. } = layer.packing;
        let [values, scales, zeros] = layer.blocked(graph, &fit)?;
        let x = graph.handle(x);
        let x = match &fit.order {
            Some(order) => x.gather(&graph.ints(&[columns], &order.iter().map(|&column| column as i64).collect::<Vec<_>>()), -1),
            None => x,
        };
        let mut shape = x.shape();
        *shape.last_mut()? = rows.into();
        let weight = [Some(values), Some(scales), (!fit.symmetric).then_some(zeros)];
        Some(Self { x, rows, columns, bits: layer.packing.stored_bits().count(), block: fit.block, weight, shape })
    }

    fn apply(&self, graph: &Graph, accuracy: Accuracy, bias: Option<&Tensor>) -> Option<Tensor> {
        let [values, scales, zeros] = &self.weight;
        let inputs = [Some(&self.x), values.as_ref(), scales.as_ref(), zeros.as_ref(), None, bias];
        let count = inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let attributes = Attributes::new().with("bits", self.bits).with("block_size", self.block);
        let attributes = attributes.with("K", self.columns).with("N", self.rows).with("accuracy_level", accuracy as i64);
        let outputs = [(self.x.dtype(), self.shape.clone())];
        graph.op("MatMulNBits", "com.microsoft", inputs.get(..count)?, attributes, &outputs).into_iter().next()
    }
}
