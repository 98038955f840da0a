//! Lowering of weights that a checkpoint stores as integers: products with them become `MatMulNBits`, and whatever else reads them gets
//! the numbers themselves.

use std::{collections::BTreeMap, sync::Arc};

mod source;

use source::Fit;
pub(super) use source::Source;

use super::{
    experts,
    readers::{Lies, Reader, with_bytes},
    rewrite::rewrite,
};
use crate::{
    Dtype, Error, Result,
    graph::{Attributes, Body, Computed, Data, Dim, Graph, Node, Tensor, ValueId},
    layers::attention::DOMAIN,
    quantize::{Bits, Blocked, Layout, Packing},
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

/// The weight of such tensors, whose scales count `factor` times, as [`unpack`] finds it.
pub(crate) fn packed(graph: &Graph, packing: &Packing, factor: f32, parts: [Option<&Tensor>; 4]) -> Option<Tensor> {
    let Packing { layout, bits, rows, columns, group, row_group, zero_offset } = *packing;
    let attributes = Attributes::new().with("layout", layout.number()).with("bits", bits).with("rows", rows).with("columns", columns);
    let attributes = attributes.with("group", group).with("row_group", row_group).with("zero_offset", zero_offset);
    let attributes = attributes.with("factor", factor);
    let outputs = [(graph.float(), vec![rows.into(), columns.into()])];
    graph.op(OP, DOMAIN, &parts, attributes, &outputs).into_iter().next()
}

/// The bytes that the packed weights of a graph take.
pub fn packed_size(body: &Body) -> u64 {
    let values = body.nodes.iter().filter(|node| is_packed(node)).filter_map(|node| node.inputs.first().copied().flatten());
    values.filter_map(|id| body.initializers.get(&id)).map(Data::size).sum()
}

/// Lowers experts, and weights that are stored as integers.
///
/// # Errors
/// A file that cannot be read.
pub fn unpack(body: Body) -> Result<Body> {
    lower(experts::split(body)?, Accuracy::Full)
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
            let made = Layer::read(graph, node, accuracy).and_then(|layer| Ok((layer.dense(graph)?, layer)));
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

/// Whether a node is a packed weight.
pub(super) fn is_packed(node: &Node) -> bool {
    node.domain == DOMAIN && node.op == OP
}

/// What a packed weight of floats is made of, and its shape; `None` for one of integers, which stay what they are.
pub(super) fn floats(graph: &Graph, node: &Node) -> Result<Option<(Arc<Source>, [usize; 2])>> {
    let Layer { packing, source, .. } = Layer::read(graph, node, Accuracy::Full)?;
    Ok(matches!(packing.layout, Layout::HalfSteps | Layout::Floats).then_some((source, [packing.rows, packing.columns])))
}

/// One packed weight.
struct Layer {
    name: String,
    packing: Packing,
    source: Arc<Source>,
    /// Whether, and how, the operator can have it.
    fit: Option<Fit>,
    /// What products take, made when the first one asks for it.
    parts: Option<Arc<[Part]>>,
}

/// A matrix of the operator: values, scales, and zero points unless they are in the middle.
type Part = [Option<Tensor>; 3];

/// A product with a packed weight.
struct Product {
    x: Tensor,
    rows: usize,
    columns: usize,
    bits: Bits,
    block: usize,
    /// The matrices whose sum the weight is.
    parts: Arc<[Part]>,
    shape: Vec<Dim>,
}

impl Layer {
    fn read(graph: &Graph, node: &Node, accuracy: Accuracy) -> Result<Self> {
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
        let factor = node.attributes.float("factor").unwrap_or(1.0);
        let source = Source { packing, values: data, dtype: values.dtype, scales: (scales, scale.dtype), factor, zeros, groups };
        let fit = source.fit(graph.float(), accuracy).map_err(at)?;
        Ok(Self { name: values.name, packing, source: Arc::new(source), fit, parts: None })
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

    /// The matrices for the operator.
    fn parts(&mut self, graph: &Graph, fit: &Fit) -> Option<Arc<[Part]>> {
        if let Some(parts) = &self.parts {
            return Some(parts.clone());
        }
        let Packing { rows, columns, .. } = self.packing;
        let (source, name, float, how) = (self.source.clone(), self.name.clone(), graph.float(), fit.clone());
        let computed = Arc::new(Computed::new(move || {
            let unpacked = source.unpacked().map_err(|e| e.at(format!("tensor {name}")))?;
            let order = how.order.as_deref();
            let made = if how.halves { unpacked.halves(how.block, order).into() } else { vec![unpacked.blocked(how.block, order)] };
            Ok(made.into_iter().flat_map(|part| stored(part, float)).collect())
        }));
        let bits = self.bits(fit).count();
        let blocks = columns.div_ceil(fit.block);
        // Where the zero point of the whole is in the middle, so is that of the upper half, and that of the lower half is 0.
        let ends: &[(&str, bool)] = if fit.halves { &[("upper", fit.symmetric), ("lower", false)] } else { &[("blocks", fit.symmetric)] };
        let part = |(i, (end, symmetric)): (usize, &(&str, bool))| {
            let tensor = |what: &str, kind: usize, dtype: Dtype, shape: &[usize]| {
                let data = Data::Computed { parts: computed.clone(), part: 3 * i + kind, len: dtype.bytes(shape)? };
                Some(graph.stored(&format!("{}_{end}{what}", self.name), dtype, shape, data))
            };
            let values = tensor("", 0, Dtype::U8, &[rows, blocks, fit.block * bits / 8])?;
            let scales = tensor("_scales", 1, float, &[rows, blocks])?;
            let zeros = if *symmetric { None } else { Some(tensor("_zero_points", 2, Dtype::U8, &[rows, (blocks * bits).div_ceil(8)])?) };
            Some([Some(values), Some(scales), zeros])
        };
        let parts: Arc<[Part]> = ends.iter().enumerate().map(part).collect::<Option<Vec<_>>>()?.into();
        self.parts = Some(parts.clone());
        Some(parts)
    }

    /// Of the operator's integers.
    fn bits(&self, fit: &Fit) -> Bits {
        if fit.halves { Bits::Four } else { self.packing.stored_bits() }
    }
}

/// A matrix as it is stored: its values, its scales in this type, and its zero points.
fn stored(part: Blocked, float: Dtype) -> [Vec<u8>; 3] {
    let scales = match float {
        Dtype::F16 => part.scales.iter().flat_map(|&scale| half::f16::from_f32(scale).to_le_bytes()).collect(),
        _ => bytemuck::cast_slice(&part.scales).to_vec(),
    };
    [part.values, scales, part.zero_points]
}

impl Product {
    fn new(graph: &Graph, layer: &mut Layer, x: ValueId) -> Option<Self> {
        let fit = layer.fit.clone()?;
        let Packing { rows, columns, .. } = layer.packing;
        let (parts, bits) = (layer.parts(graph, &fit)?, layer.bits(&fit));
        let x = graph.handle(x);
        let x = match &fit.order {
            Some(order) => x.gather(&graph.ints(&[columns], &order.iter().map(|&column| column as i64).collect::<Vec<_>>()), -1),
            None => x,
        };
        let mut shape = x.shape();
        *shape.last_mut()? = rows.into();
        Some(Self { x, rows, columns, bits, block: fit.block, parts, shape })
    }

    fn apply(&self, graph: &Graph, accuracy: Accuracy, bias: Option<&Tensor>) -> Option<Tensor> {
        let mut sum: Option<Tensor> = None;
        for [values, scales, zeros] in self.parts.iter() {
            // One of them brings the bias.
            let inputs = [Some(&self.x), values.as_ref(), scales.as_ref(), zeros.as_ref(), None, bias.filter(|_| sum.is_none())];
            let count = inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
            let attributes = Attributes::new().with("bits", self.bits.count()).with("block_size", self.block);
            let attributes = attributes.with("K", self.columns).with("N", self.rows).with("accuracy_level", accuracy as i64);
            let outputs = [(self.x.dtype(), self.shape.clone())];
            let y = graph.op("MatMulNBits", "com.microsoft", inputs.get(..count)?, attributes, &outputs).into_iter().next()?;
            sum = Some(sum.map_or_else(|| y.clone(), |sum| sum + &y));
        }
        sum
    }
}
