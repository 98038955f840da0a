//! Weights in fewer bits: which initializers, and the operators that read them.

mod blocks;
mod experts;
mod float16;
mod int8;

use std::{collections::BTreeMap, sync::Arc};

use super::{
    packed::Accuracy,
    readers::{fixed, with_bytes},
    rewrite::rewrite,
};
use crate::{
    Dtype, Error, Result,
    graph::{Body, Computed, Data, Graph, Node, Tensor, ValueId},
    quantize::NBits,
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
    /// Linear layers and embeddings in 4 or 8 bits with a scale for each block of a row, for ONNX Runtime's `MatMulNBits`
    /// and `GatherBlockQuantized`. The weights are computed when the graph is written, one after the other. Scales have
    /// the type that the graph computes in, whatever [`NBits::scale_dtype`] says.
    Blocks(NBits),
}

/// What operators with weights in blocks may compute with inside: 8-bit integers, where the processor has instructions for them.
const ACCURACY_LEVEL: i64 = 4;

/// Smaller weights stay as they are: biases and norms cost nothing and matter much.
const SMALL: usize = 1024;

/// Stores the weights of a graph in fewer bits.
pub fn store(body: Body, storage: Storage) -> Result<Body> {
    let mut pass: Box<dyn Pass> = match storage {
        Storage::Float16 => Box::<float16::Float16>::default(),
        Storage::Int8 => Box::<int8::Int8>::default(),
        Storage::Blocks(options) => {
            options.check()?;
            Box::new(blocks::Blocks::new(options))
        }
    };
    // What the checkpoint has in few bits already stays as it is; it is computed with as the rest is.
    let accuracy = if storage == Storage::Float16 { Accuracy::Full } else { Accuracy::Int8 };
    let body = if let Storage::Blocks(options) = storage { experts::quantize(body, options)? } else { body };
    let body = super::packed::lower(super::experts::split(body)?, accuracy)?;
    let mut casts = Casts::default();
    let mut failed = None;
    let body = rewrite(body, |graph, node| {
        if failed.is_some() || casts.note(graph, node) {
            return None;
        }
        pass.replace(graph, node, &casts).unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok(super::prune::prune(body)),
    }
}

/// One way of storing weights.
trait Pass {
    /// What takes the place of a node, where it reads a weight that is to be stored in another way; or changes what it reads.
    fn replace(&mut self, graph: &Graph, node: &mut Node, casts: &Casts) -> Result<Option<Vec<Tensor>>>;
}

/// The weights behind the outputs of casts: a graph reads what a checkpoint stores in another type through these.
#[derive(Default)]
struct Casts(BTreeMap<ValueId, ValueId>);

impl Casts {
    /// Notes a cast of a weight, so that its readers find the weight itself; whether the node is one.
    fn note(&mut self, graph: &Graph, node: &Node) -> bool {
        let source = node.inputs.first().copied().flatten();
        let cast = source.filter(|&id| node.op == "Cast" && graph.data(id).is_some() && graph.value(id).dtype.is_float());
        if let (Some(id), Some(&output)) = (cast, node.outputs.first()) {
            self.0.insert(output, id);
        }
        cast.is_some()
    }

    /// Whether a value is a weight or a constant, cast or not.
    fn is_constant(&self, graph: &Graph, id: ValueId) -> bool {
        self.0.contains_key(&id) || graph.data(id).is_some()
    }

    /// The floating-point weight behind a value, if it is one of this rank or more that is worth storing in fewer bits.
    fn weight(&self, graph: &Graph, id: ValueId, rank: usize) -> Option<ValueId> {
        let id = self.0.get(&id).copied().unwrap_or(id);
        let value = graph.value(id);
        let shape = fixed(&value.shape);
        let worthy = value.dtype.is_float() && value.dtype.bits() <= 32 && shape.len() >= rank && shape.iter().product::<usize>() >= SMALL;
        (worthy && graph.data(id).is_some()).then_some(id)
    }
}

/// Tensors in place of a weight: `compute` makes all parts from its bytes when the graph is written, so that no more than one weight is in
/// memory at a time. What comes back names a tensor, by the end of its name, its part, its type and its shape.
fn parts<'a>(
    graph: &'a Graph,
    id: ValueId,
    compute: impl Fn(&[u8]) -> Result<Vec<Vec<u8>>> + Send + Sync + 'static,
) -> Result<impl Fn(&str, usize, Dtype, &[usize]) -> Result<Tensor> + 'a> {
    let data = graph.data(id).ok_or_else(|| Error::tensor("not a weight"))?;
    let name = graph.value(id).name;
    let weight = name.clone();
    let computed = Arc::new(Computed::new(move || with_bytes(&data, &compute).map_err(|e| e.at(format!("tensor {weight}")))));
    Ok(move |end: &str, part: usize, dtype: Dtype, shape: &[usize]| {
        let len = dtype.bytes(shape).ok_or_else(|| Error::tensor(format!("tensor {name} is too large")))?;
        Ok(graph.stored(&format!("{name}_{end}"), dtype, shape, Data::Computed { parts: computed.clone(), part, len }))
    })
}
