//! Weights as 16-bit floats.

use std::collections::BTreeMap;

use super::{Casts, Pass, parts};
use crate::{
    Dtype, Result,
    graph::{Graph, Node, Tensor, ValueId},
    passes::readers::fixed,
    quantize::{self, Matrix},
};

/// Every operator that reads a large weight reads its half-precision copy, cast back.
#[derive(Default)]
pub(super) struct Float16 {
    halves: BTreeMap<ValueId, Tensor>,
}

impl Pass for Float16 {
    fn replace(&mut self, graph: &Graph, node: &mut Node, casts: &Casts) -> Result<Option<Vec<Tensor>>> {
        let mut changed = node.clone();
        for input in changed.inputs.iter_mut().flatten() {
            let Some(weight) = casts.weight(graph, *input, 1) else { continue };
            *input = self.half(graph, weight)?.id();
        }
        graph.push(changed.clone());
        Ok(Some(changed.outputs.iter().map(|&id| graph.handle(id)).collect()))
    }
}

impl Float16 {
    fn half(&mut self, graph: &Graph, weight: ValueId) -> Result<Tensor> {
        if let Some(half) = self.halves.get(&weight) {
            return Ok(half.clone());
        }
        let value = graph.value(weight);
        let shape = fixed(&value.shape);
        let columns = shape.last().copied().unwrap_or(1).max(1);
        let rows = shape.iter().product::<usize>() / columns;
        let stored = parts(graph, weight, move |bytes| {
            let values = quantize::to_float16(&Matrix::new(bytes, value.dtype, [rows, columns])?).values;
            Ok(vec![bytemuck::cast_slice(&values).to_vec()])
        })?;
        let half = stored("fp16", 0, Dtype::F16, &shape)?.cast(graph.float());
        self.halves.insert(weight, half.clone());
        Ok(half)
    }
}
