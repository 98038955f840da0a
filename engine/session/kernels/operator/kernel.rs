//! A product of activations with a matrix, or with two of which one is the other's gate.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::operator::{ComputeContext, Kernel};
use ort::value::{Shape as Dimensions, ValueRef};

use super::PARTS_OF_A_MATRIX;
use super::rows::{self, Norm};
use crate::session::kernels::Common;
use crate::session::kernels::avx512::{self, Output};
use crate::session::kernels::gate::Gate;
use crate::session::kernels::order::Turn;
use crate::session::kernels::packed::{Packed, Shape, Stored};

/// Less work than this many bytes of weights is not worth another thread.
const LEAST_BYTES: usize = 16 << 10;
/// So many parts of one product are enough for any number of threads.
const MOST_PARTS: usize = 128;

/// Matrices are laid out anew when they are first used: by the threads of the session, and only if they are.
pub(in super::super) struct Product {
    name: &'static str,
    /// Of each matrix.
    shape: Shape,
    gate: Option<Gate>,
    /// Of the norm of a sum, which comes before the product.
    epsilon: Option<f32>,
    common: Arc<Common>,
    turn: Turn,
    packed: OnceLock<Packed>,
    /// Held by the run that lays it out.
    packing: Mutex<()>,
}

// Runs of one session may overlap, and all come here: nothing but the cell is ever written to.
impl Kernel for Product {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        self.run(context)
    }
}

impl Product {
    pub(super) fn new(name: &'static str, shape: Shape, gate: Option<Gate>, epsilon: Option<f32>, common: &Arc<Common>) -> Self {
        let (turn, common) = (common.order.turn(), Arc::clone(common));
        Self { name, shape, gate, epsilon, common, turn, packed: OnceLock::new(), packing: Mutex::new(()) }
    }

    fn run(&self, context: &ComputeContext) -> ort::Result<()> {
        let shape = self.shape;
        let packed = self.packed(context)?;
        let input = self.input(context, 0)?;
        let (dimensions, values) = input.try_extract_tensor::<f32>()?;
        if dimensions.last().is_none_or(|last| usize::try_from(*last) != Ok(shape.columns)) {
            return Err(self.error(&format!("activations of shape {dimensions:?} with weights of {} columns", shape.columns)));
        }
        let biases = (0..self.matrices()).map(|matrix| context.input(self.first_of(matrix) + 4)).collect::<ort::Result<Vec<_>>>()?;
        let biases = biases.iter().map(|bias| bias.as_ref().map(floats_of).transpose()).collect::<ort::Result<Vec<_>>>()?;
        if biases.iter().flatten().any(|bias| bias.len() != shape.rows) {
            return Err(self.error("a bias of another length"));
        }
        let mut wanted = dimensions.to_vec();
        if let Some(last) = wanted.last_mut() {
            *last = i64::try_from(shape.rows).unwrap_or(i64::MAX);
        }
        let mut output = context.output(0, wanted)?.ok_or_else(|| self.error("no output"))?;
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        let activations = match self.epsilon {
            None => rows::rounded(values, shape, &self.common),
            Some(epsilon) => {
                let (other, scale) = (self.input(context, 1)?, self.input(context, 2)?);
                let (added, other) = other.try_extract_tensor::<f32>()?;
                let scale = floats_of(&scale)?;
                if !repeats(added, dimensions) || scale.len() != shape.columns {
                    let scales = scale.len();
                    return Err(self.error(&format!("a sum of shapes {dimensions:?} and {added:?}, and {scales} scales of its norm")));
                }
                let mut sum = if context.num_outputs()? > 1 { context.output(1, dimensions.to_vec())? } else { None };
                let sum = sum.as_mut().map(|sum| sum.try_extract_tensor_mut::<f32>()).transpose()?.map(|(_, sum)| sum);
                rows::normalized(values, Norm { other, scale, epsilon, sum }, shape, &self.common)
            }
        };
        let activations = activations.map_err(|_| self.error("a row failed"))?;
        if values.is_empty() {
            return Ok(());
        }
        let rows = values.len() / shape.columns;
        let bytes = self.matrices() * shape.rows * shape.columns * shape.bits / 8 * rows.min(8);
        let parts = (bytes / LEAST_BYTES).clamp(1, MOST_PARTS).min(shape.tiles());
        let output = Output::new(output);
        if let Some(next) = self.turn.next(&self.common.order) {
            self.common.pool.announce(next);
        }
        let part = |part: usize| {
            let tiles = shape.tiles() * part / parts..shape.tiles() * (part + 1) / parts;
            match (self.gate, &biases[..]) {
                (Some(gate), [of_gate, of_up]) => avx512::gated(packed, &activations, [*of_gate, *of_up], gate, tiles, output),
                _ => avx512::product(packed, &activations, biases.first().copied().flatten(), tiles, output),
            }
        };
        self.common.pool.run(parts, &part).map_err(|_| self.error("a part of the product failed"))?;
        self.common.spare.keep(activations);
        Ok(())
    }

    fn matrices(&self) -> usize {
        if self.gate.is_some() { 2 } else { 1 }
    }

    /// Where the inputs of a matrix begin.
    fn first_of(&self, matrix: usize) -> usize {
        let activations = if self.epsilon.is_some() { 3 } else { 1 };
        activations + matrix * PARTS_OF_A_MATRIX
    }

    fn input<'a>(&self, context: &'a ComputeContext, index: usize) -> ort::Result<ValueRef<'a>> {
        context.input(index)?.ok_or_else(|| self.error(&format!("no input {index}")))
    }

    fn error(&self, what: &str) -> ort::Error {
        ort::Error::new(format!("{}: {what}", self.name))
    }

    fn packed(&self, context: &ComputeContext) -> ort::Result<&Packed> {
        if let Some(packed) = self.packed.get() {
            return Ok(packed);
        }
        let _turn = self.packing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(packed) = self.packed.get() {
            return Ok(packed);
        }
        let packed = self.pack(context)?;
        self.turn.is_at(packed.addresses());
        Ok(self.packed.get_or_init(|| packed))
    }

    fn pack(&self, context: &ComputeContext) -> ort::Result<Packed> {
        let parts = |matrix: usize| -> ort::Result<_> {
            let first = self.first_of(matrix);
            Ok((self.input(context, first)?, self.input(context, first + 1)?, context.input(first + 2)?))
        };
        let parts = (0..self.matrices()).map(parts).collect::<ort::Result<Vec<_>>>()?;
        let stored = parts.iter().map(|(weights, scales, zero_points)| {
            let zero_points = zero_points.as_ref().map(|points| points.try_extract_tensor::<u8>()).transpose()?;
            Ok(Stored {
                weights: weights.try_extract_tensor::<u8>()?.1,
                scales: floats_of(scales)?,
                zero_points: zero_points.map(|(_, points)| points),
            })
        });
        let stored = stored.collect::<ort::Result<Vec<_>>>()?;
        let parallel = |count, work: &(dyn Fn(usize) + Sync)| {
            if self.common.pool.run(count, work).is_err() {
                (0..count).for_each(work);
            }
        };
        let packed = Packed::new(self.shape, &stored, &self.common.pages, parallel);
        packed.ok_or_else(|| {
            let shape = self.shape;
            self.error(&format!("no memory, or weights, scales and zero points do not have the sizes that {shape:?} needs"))
        })
    }
}

fn floats_of<'a>(value: &'a ValueRef<'_>) -> ort::Result<&'a [f32]> {
    Ok(value.try_extract_tensor::<f32>()?.1)
}

/// Whether what is added to a tensor has its shape, or that of its last axes, as ONNX Runtime allows.
fn repeats(added: &Dimensions, to: &Dimensions) -> bool {
    let trailing = added.strip_prefix(&[1][..]).filter(|rest| rest.len() + 1 == to.len()).unwrap_or(added);
    added[..] == to[..] || (trailing.len() > 1 && to.ends_with(trailing))
}
