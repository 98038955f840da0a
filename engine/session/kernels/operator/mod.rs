//! `MatMulNBits` as an operator of our domain: inputs, attributes and results are those of `com.microsoft`. Its relatives do the work of its
//! neighbours as well: a norm of a sum before it, which comes instead of the activations as `(a, b, scale)`, and a gate with a second matrix.

mod kernel;
mod rows;

use std::sync::Arc;

use ort::operator::{KernelContext, Operator, OperatorInput, OperatorOutput, ShapeInferenceContext};
use ort::value::{Shape as Dimensions, SymbolicDimensions, TensorElementType, ValueType};

use super::Common;
use super::gate::Gate;
use super::packed::Shape;
use kernel::Product;

/// Weights, scales, zero points, an order of columns (which `rewrite` leaves to ONNX Runtime), a bias.
pub(super) const PARTS_OF_A_MATRIX: usize = 5;

/// What the operator is called.
pub(super) fn name(norm: bool, gated: bool) -> &'static str {
    match (norm, gated) {
        (false, false) => "MatMulNBits",
        (false, true) => "GatedMatMulNBits",
        (true, false) => "NormMatMulNBits",
        (true, true) => "NormGatedMatMulNBits",
    }
}

/// The operator for one session.
pub(super) struct MatMulNBits {
    common: Arc<Common>,
    norm: bool,
    gated: bool,
}

impl MatMulNBits {
    pub(super) fn new(common: &Arc<Common>, norm: bool, gated: bool) -> Self {
        Self { common: Arc::clone(common), norm, gated }
    }
}

impl Operator for MatMulNBits {
    type Kernel<'attr> = Product;

    fn name(&self) -> &'static str {
        name(self.norm, self.gated)
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        use TensorElementType::{Float32, Int32, Uint8};
        let activations = if self.norm { vec![Float32; 3] } else { vec![Float32] };
        let matrix = || {
            [
                OperatorInput::required(Uint8),
                OperatorInput::required(Float32),
                OperatorInput::optional(Uint8),
                OperatorInput::optional(Int32),
                OperatorInput::optional(Float32),
            ]
        };
        let matrices = if self.gated { 2 } else { 1 };
        activations.into_iter().map(OperatorInput::required).chain((0..matrices).flat_map(move |_| matrix()))
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        let sum = self.norm.then(|| OperatorOutput::optional(TensorElementType::Float32));
        [OperatorOutput::required(TensorElementType::Float32)].into_iter().chain(sum)
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<Product> {
        let name = name(self.norm, self.gated);
        let size = |attribute: &str| context.get::<i64>(attribute).and_then(|value| usize::try_from(value).ok());
        let missing = |attribute: &str| ort::Error::new(format!("{name}: no attribute {attribute}"));
        let size_of = |attribute: &str| size(attribute).ok_or_else(|| missing(attribute));
        let float_of = |attribute: &str| context.get::<f32>(attribute).ok_or_else(|| missing(attribute));
        let shape = Shape { rows: size_of("N")?, columns: size_of("K")?, bits: size("bits").unwrap_or(4), block: size_of("block_size")? };
        let matrices = if self.gated { 2 } else { 1 };
        if !shape.is_sound() || shape.stacked(matrices).is_none() {
            return Err(ort::Error::new(format!("{name}: {shape:?} cannot be")));
        }
        let gate = if self.gated { Some(Gate { linear: float_of("linear")?, cubic: float_of("cubic")? }) } else { None };
        let epsilon = if self.norm { Some(float_of("epsilon")?) } else { None };
        Ok(Product::new(name, shape, gate, epsilon, &self.common))
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        let rows = context.attr::<i64>("N")?;
        let Some(ValueType::Tensor { ty, shape, dimension_symbols }) = context.inputs().into_iter().next() else { return Ok(()) };
        let (mut dimensions, mut symbols) = (shape.to_vec(), dimension_symbols.to_vec());
        let (Some(last), Some(symbol)) = (dimensions.last_mut(), symbols.last_mut()) else { return Ok(()) };
        *last = rows;
        symbol.clear();
        // A size that is not known and has no name would become -1, and be computed with.
        if dimensions.iter().zip(&symbols).any(|(size, symbol)| *size < 0 && symbol.is_empty()) {
            return Ok(());
        }
        let (shape, dimension_symbols) = (Dimensions::new(dimensions), SymbolicDimensions::new(symbols));
        context.set_output(0, &ValueType::Tensor { ty, shape, dimension_symbols })
    }
}
