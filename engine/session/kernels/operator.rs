//! `MatMulNBits` as an operator of our domain: inputs, attributes and results are those of `com.microsoft`.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput, ShapeInferenceContext};
use ort::value::{Shape as Dimensions, SymbolicDimensions, TensorElementType, ValueType};

use super::Common;
use super::activations::{Activations, Group};
use super::avx512::{self, Output};
use super::order::Turn;
use super::packed::{Packed, Shape, Stored};

/// Less work than this many bytes of weights is not worth another thread.
const LEAST_BYTES: usize = 16 << 10;
/// So many parts of one product are enough for any number of threads.
const MOST_PARTS: usize = 128;
/// Fewer numbers than this are rounded by one thread.
const LEAST_VALUES: usize = 1 << 15;

/// The operator for one session.
pub(super) struct MatMulNBits {
    common: Arc<Common>,
}

impl MatMulNBits {
    pub(super) fn new(common: &Arc<Common>) -> Self {
        Self { common: Arc::clone(common) }
    }
}

impl Operator for MatMulNBits {
    type Kernel<'attr> = Product;

    fn name(&self) -> &'static str {
        "MatMulNBits"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        use TensorElementType::{Float32, Int32, Uint8};
        [
            OperatorInput::required(Float32),
            OperatorInput::required(Uint8),
            OperatorInput::required(Float32),
            OperatorInput::optional(Uint8),
            // The order of columns, which `rewrite` leaves to ONNX Runtime.
            OperatorInput::optional(Int32),
            OperatorInput::optional(Float32),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<Product> {
        let size = |name: &str| context.get::<i64>(name).and_then(|value| usize::try_from(value).ok());
        let attribute = |name: &str| size(name).ok_or_else(|| ort::Error::new(format!("MatMulNBits: no attribute {name}")));
        let shape =
            Shape { rows: attribute("N")?, columns: attribute("K")?, bits: size("bits").unwrap_or(4), block: attribute("block_size")? };
        if !shape.is_sound() {
            return Err(ort::Error::new(format!("MatMulNBits: {shape:?} cannot be")));
        }
        let common = Arc::clone(&self.common);
        Ok(Product { shape, turn: common.order.turn(), common, packed: OnceLock::new(), packing: Mutex::new(()) })
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

/// A product with one matrix, which is laid out anew when it is first used: by the threads of the session, and only if it is.
pub(super) struct Product {
    shape: Shape,
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
    fn run(&self, context: &ComputeContext) -> ort::Result<()> {
        let shape = self.shape;
        let missing = |what: &str| ort::Error::new(format!("MatMulNBits: {what}"));
        let packed = self.packed(context)?;
        let input = context.input(0)?.ok_or_else(|| missing("no activations"))?;
        let (dimensions, values) = input.try_extract_tensor::<f32>()?;
        if dimensions.last().is_none_or(|last| usize::try_from(*last) != Ok(shape.columns)) {
            return Err(missing(&format!("activations of shape {dimensions:?} with weights of {} columns", shape.columns)));
        }
        let bias = context.input(5)?;
        let bias = bias.as_ref().map(|bias| bias.try_extract_tensor::<f32>()).transpose()?.map(|(_, bias)| bias);
        if bias.is_some_and(|bias| bias.len() != shape.rows) {
            return Err(missing("a bias of another length"));
        }
        let mut dimensions = dimensions.to_vec();
        if let Some(last) = dimensions.last_mut() {
            *last = i64::try_from(shape.rows).unwrap_or(i64::MAX);
        }
        let mut output = context.output(0, dimensions)?.ok_or_else(|| missing("no output"))?;
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        if values.is_empty() {
            return Ok(());
        }
        let activations = self.quantize(values)?;
        let rows = values.len() / shape.columns;
        let bytes = shape.rows * shape.columns * shape.bits / 8 * rows.min(8);
        let parts = (bytes / LEAST_BYTES).clamp(1, MOST_PARTS).min(shape.tiles());
        let output = Output::new(output);
        if let Some(next) = self.turn.next(&self.common.order) {
            self.common.pool.announce(next);
        }
        let part = |part: usize| {
            let tiles = shape.tiles() * part / parts..shape.tiles() * (part + 1) / parts;
            avx512::product(packed, &activations, bias, tiles, output);
        };
        self.in_parallel(parts, &part)?;
        self.common.spare.keep(activations);
        Ok(())
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
        let missing = |what: &str| ort::Error::new(format!("MatMulNBits: no {what}"));
        let weights = context.input(1)?.ok_or_else(|| missing("weights"))?;
        let scales = context.input(2)?.ok_or_else(|| missing("scales"))?;
        let zero_points = context.input(3)?;
        let zero_points = zero_points.as_ref().map(|points| points.try_extract_tensor::<u8>()).transpose()?;
        let stored = Stored {
            weights: weights.try_extract_tensor::<u8>()?.1,
            scales: scales.try_extract_tensor::<f32>()?.1,
            zero_points: zero_points.map(|(_, points)| points),
        };
        let parallel = |count, work: &(dyn Fn(usize) + Sync)| {
            if self.in_parallel(count, work).is_err() {
                (0..count).for_each(work);
            }
        };
        let packed = Packed::new(self.shape, &stored, &self.common.pages, parallel);
        packed.ok_or_else(|| {
            ort::Error::new(format!(
                "MatMulNBits: no memory, or weights, scales and zero points do not have the sizes that {:?} needs",
                self.shape
            ))
        })
    }

    fn quantize(&self, values: &[f32]) -> ort::Result<Activations> {
        let shape = self.shape;
        let mut activations = self.common.spare.take();
        activations.resize(values.len() / shape.columns, shape.columns, shape.block);
        let fill = |mut group: Group<'_>| {
            let values = values.chunks_exact(shape.columns).skip(group.first).take(group.rows);
            values.enumerate().for_each(|(row, values)| avx512::quantize(values, shape.block, shape.bits, row, &mut group));
        };
        if values.len() < LEAST_VALUES {
            activations.groups().for_each(fill);
        } else {
            let groups: Vec<_> = activations.groups().map(|group| Mutex::new(Some(group))).collect();
            self.in_parallel(groups.len(), &|number| {
                let group = groups.get(number).and_then(|group| group.lock().unwrap_or_else(PoisonError::into_inner).take());
                group.into_iter().for_each(fill);
            })?;
        }
        Ok(activations)
    }

    fn in_parallel(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) -> ort::Result<()> {
        self.common.pool.run(parts, work).map_err(|_| ort::Error::new("MatMulNBits: a part of the product failed"))
    }
}
