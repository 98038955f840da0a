//! Mixtures of experts as one operator, `QMoE`, which reads the experts that a token has, and nothing of the others.

use std::{collections::BTreeMap, sync::Arc};

use super::{ACCURACY_LEVEL, Casts};
use crate::{
    Dtype, Error, Result,
    graph::{Attributes, Body, Computed, Data, Graph, Node, Tensor, ValueId},
    layers::{Expert, Gate, Mixture},
    passes::{
        packed, prune,
        readers::{Lies, with_bytes},
        rewrite::rewrite,
    },
    quantize::{self, Matrix, NBits},
    weights::dense::widen,
};

/// Mixtures that the operator has become that, with weights in blocks; others stay as they are.
pub(super) fn quantize(body: Body, options: NBits) -> Result<Body> {
    if body.float != Dtype::F32 || !body.nodes.iter().any(Mixture::is) {
        return Ok(body);
    }
    let (mut casts, mut packed, mut failed) = (Casts::default(), BTreeMap::new(), None);
    let body = rewrite(body, |graph, node| {
        if packed::is_packed(node) {
            packed.extend(node.outputs.first().map(|&id| (id, node.clone())));
            return None;
        }
        if failed.is_some() || casts.note(graph, node) {
            return None;
        }
        let weights = Weights { graph, casts: &casts, packed: &packed };
        let made = weights.operator(&Mixture::read(graph, node)?, options);
        made.map(|y| y.map(|y| vec![y])).unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    })?;
    failed.map_or_else(|| Ok(prune::prune(body)), Err)
}

/// The weights of a graph, as experts read them.
struct Weights<'a> {
    graph: &'a Graph,
    casts: &'a Casts,
    packed: &'a BTreeMap<ValueId, Node>,
}

/// A matrix that can be computed, `(rows, columns)`.
#[derive(Clone)]
struct Source {
    floats: Floats,
    sizes: [usize; 2],
}

#[derive(Clone)]
enum Floats {
    Stored(Data, Dtype, Lies),
    Packed(Arc<packed::Source>),
}

impl Weights<'_> {
    /// `None` where the operator does not have these experts.
    fn operator(&self, mixture: &Mixture, options: NBits) -> Result<Option<Tensor>> {
        let mut experts = Vec::with_capacity(mixture.experts.len());
        for expert in &mixture.experts {
            let Some(found) = self.expert(expert)? else { return Ok(None) };
            experts.push(found);
        }
        let (graph, x, block) = (self.graph, &mixture.x, options.block_size);
        let width = x.shape().last().and_then(|dim| dim.fixed()).unwrap_or_default();
        let Some(inner) = experts.first().map(|(_, down)| down.sizes[1]) else { return Ok(None) };
        let alike = experts.iter().all(|(up, down)| {
            let rows: usize = up.iter().map(|part| part.sizes[0]).sum();
            down.sizes == [width, inner] && rows == 2 * inner && up.iter().all(|part| part.sizes == [rows / up.len(), width])
        });
        // Zero points of a single block lie in another way.
        let blocks = |columns: usize| columns.is_multiple_of(block) && (options.symmetric || columns > block);
        if !alike || experts.len() != mixture.routed.count || inner == 0 || !blocks(width) || !blocks(inner) {
            return Ok(None);
        }

        let (ups, downs): (Vec<_>, Vec<_>) = experts.into_iter().map(|(up, down)| (up, vec![down])).unzip();
        // One size of blocks for both.
        let options = NBits { wide_block_size: None, scale_dtype: Dtype::F32, ..options };
        let stacked = |name: &str, matrices, shape| stacked(graph, &format!("{}_{name}", self.name(mixture)), matrices, shape, options);
        let (Some(first), Some(second)) = (stacked("up", ups, [2 * inner, width]), stacked("down", downs, [width, inner])) else {
            return Ok(None);
        };
        let [first_bias, second_bias] = self.biases(mixture)?;
        let scores = scattered(&mixture.routed.experts, &mixture.routed.weights, mixture.routed.count);
        let [Some(values), Some(scales), zeros] = &first else { return Ok(None) };
        let [Some(down), Some(down_scales), down_zeros] = &second else { return Ok(None) };
        // Experts that were not chosen have a score of 0, and count for nothing.
        let inputs = [
            [Some(x), Some(&scores), Some(values), Some(scales), first_bias.as_ref()],
            [Some(down), Some(down_scales), second_bias.as_ref(), None, None],
            [None, zeros.as_ref(), down_zeros.as_ref(), None, Some(&scores)],
        ];
        let Gate { alpha, shift, limit } = mixture.gate;
        let attributes = Attributes::new().with("k", mixture.routed.experts.fixed(-1)).with("activation_type", "swiglu");
        let attributes = attributes.with("swiglu_fusion", 1i64).with("activation_alpha", alpha).with("activation_beta", shift);
        let attributes = limit.map_or(attributes.clone(), |limit| attributes.with("swiglu_limit", limit));
        let attributes = attributes.with("expert_weight_bits", options.bits.count()).with("block_size", block);
        let attributes = attributes.with("accuracy_level", ACCURACY_LEVEL).with("normalize_routing_weights", 0i64);
        Ok(graph.op("QMoE", "com.microsoft", inputs.as_flattened(), attributes, &[(x.dtype(), x.shape())]).into_iter().next())
    }

    /// The matrices whose rows lie in turn, and the last one.
    fn expert(&self, expert: &Expert<Tensor>) -> Result<Option<(Vec<Source>, Source)>> {
        let (first, down, lies) = match expert {
            Expert::Apart([gate, up, down]) => (vec![gate, up], down, Lies::ByRows),
            Expert::Paired { matrices: [both, down], by_columns, .. } => {
                (vec![both], down, if *by_columns { Lies::ByColumns } else { Lies::ByRows })
            }
        };
        let mut found = Vec::with_capacity(first.len());
        for matrix in first {
            let Some(source) = self.source(matrix, lies)? else { return Ok(None) };
            found.push(source);
        }
        Ok(self.source(down, lies)?.map(|down| (found, down)))
    }

    fn source(&self, matrix: &Tensor, lies: Lies) -> Result<Option<Source>> {
        if let Some(node) = self.packed.get(&matrix.id()) {
            let found = packed::floats(self.graph, node)?.filter(|_| lies == Lies::ByRows);
            return Ok(found.map(|(source, sizes)| Source { floats: Floats::Packed(source), sizes }));
        }
        let Some(id) = self.casts.weight(self.graph, matrix.id(), 2) else { return Ok(None) };
        let value = self.graph.value(id);
        let found = lies.sizes(&value.shape).zip(self.graph.data(id));
        Ok(found.map(|(sizes, data)| Source { floats: Floats::Stored(data, value.dtype, lies), sizes }))
    }

    /// What the tensors of a mixture are called after: its first matrix.
    fn name(&self, mixture: &Mixture) -> String {
        let first = match mixture.experts.first() {
            Some(Expert::Apart([first, ..]) | Expert::Paired { matrices: [first, _], .. }) => first,
            None => &mixture.x,
        };
        let id = self.casts.0.get(&first.id()).copied().unwrap_or(first.id());
        let id = self.packed.get(&id).and_then(|node| node.inputs.first().copied().flatten()).unwrap_or(id);
        self.graph.value(id).name
    }

    /// The biases of all experts, `(experts, outputs)`.
    fn biases(&self, mixture: &Mixture) -> Result<[Option<Tensor>; 2]> {
        let mut found = [None, None];
        for (i, stacked) in found.iter_mut().enumerate() {
            let mut all: Vec<f32> = Vec::new();
            for expert in &mixture.experts {
                let Expert::Paired { biases, .. } = expert else { return Ok([None, None]) };
                let Some(bias) = biases.get(i) else { continue };
                let id = self.casts.0.get(&bias.id()).copied().unwrap_or(bias.id());
                let value = self.graph.value(id);
                let data = self.graph.data(id).ok_or_else(|| Error::tensor(format!("{} is no stored bias", value.name)))?;
                let wide = |bytes: &[u8]| {
                    let mut wide = vec![0.0; bytes.len() * 8 / value.dtype.bits().max(1) as usize];
                    if widen(bytes, value.dtype, &mut wide) { Ok(wide) } else { Err(Error::tensor(format!("{} is no floats", value.name))) }
                };
                all.extend(with_bytes(&data, wide)?);
            }
            let count = mixture.experts.len();
            *stacked = Some(self.graph.constant(Dtype::F32, &[count, all.len() / count.max(1)], bytemuck::cast_slice(&all).to_vec()));
        }
        Ok(found)
    }
}

/// The weights of the chosen experts at their places among all, `(tokens, experts)`.
fn scattered(experts: &Tensor, weights: &Tensor, count: usize) -> Tensor {
    let graph = experts.graph();
    let none = graph.full(&[experts.dim(0).into(), count.into()], 0.0, weights.dtype());
    let outputs = [(weights.dtype(), none.shape())];
    let inputs = [Some(&none), Some(experts), Some(weights)];
    graph.op("ScatterElements", "", &inputs, Attributes::new().with("axis", 1i64), &outputs).into_iter().next().unwrap_or(none)
}

/// The matrices of each expert, whose rows take turns, as one tensor: values, scales and zero points.
fn stacked(
    graph: &Graph,
    name: &str,
    experts: Vec<Vec<Source>>,
    [rows, columns]: [usize; 2],
    options: NBits,
) -> Option<[Option<Tensor>; 3]> {
    let (count, bits, blocks) = (experts.len(), options.bits.count(), columns / options.block_size);
    let computed = Arc::new(Computed::new(move || {
        let mut all = vec![Vec::new(), Vec::new(), Vec::new()];
        for matrices in &experts {
            let parts = matrices.iter().map(|matrix| matrix.blocks(&options)).collect::<Result<Vec<_>>>()?;
            for (i, all) in all.iter_mut().enumerate() {
                let each: Vec<&[u8]> = parts.iter().filter_map(|part| part.get(i)).map(Vec::as_slice).collect();
                in_turn(&each, rows / matrices.len().max(1), all);
            }
        }
        Ok(all)
    }));
    let stored = |end: &str, part, dtype: Dtype, last: usize| {
        let shape = [count, rows, last];
        let data = Data::Computed { parts: computed.clone(), part, len: dtype.bytes(&shape)? };
        Some(graph.stored(&format!("{name}_{end}"), dtype, &shape, data))
    };
    let zeros = if options.symmetric { None } else { Some(stored("zero_points", 2, Dtype::U8, (blocks * bits).div_ceil(8))?) };
    Some([Some(stored(&format!("Q{bits}"), 0, Dtype::U8, columns * bits / 8)?), Some(stored("scales", 1, Dtype::F32, blocks)?), zeros])
}

/// Appends the rows of several matrices: the first of each, the second of each, and so on.
fn in_turn(matrices: &[&[u8]], rows: usize, all: &mut Vec<u8>) {
    let lines: Vec<Vec<&[u8]>> = matrices.iter().map(|matrix| matrix.chunks((matrix.len() / rows.max(1)).max(1)).collect()).collect();
    for row in 0..rows {
        lines.iter().filter_map(|lines| lines.get(row)).for_each(|line| all.extend_from_slice(line));
    }
}

impl Source {
    fn blocks(&self, options: &NBits) -> Result<Vec<Vec<u8>>> {
        let made = |matrix: &Matrix| {
            let quantize::Blocks { values, scales, zero_points } = quantize::n_bits(matrix, options)?;
            Ok([values, bytemuck::cast_slice(&scales).to_vec()].into_iter().chain(zero_points).collect())
        };
        match &self.floats {
            Floats::Stored(data, dtype, lies) => with_bytes(data, |bytes| made(&lies.matrix(bytes, *dtype, self.sizes)?)),
            Floats::Packed(source) => made(&Matrix::new(bytemuck::cast_slice(&source.dense()?), Dtype::F32, self.sizes)?),
        }
    }
}
