//! `GroupQueryAttention` as an operator of our domain: inputs, attributes and results are those of `com.microsoft`.

#![allow(unsafe_code)]

use std::sync::Arc;

use ort::operator::{ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput, ShapeInferenceContext};
use ort::value::{
    PrimitiveTensorElementType, Shape as Dimensions, SymbolicDimensions, TensorElementType, ValueRef, ValueRefMut, ValueType,
};

use super::inputs::{Attributes, Inputs, Tensor};
use super::{Cache, Shape};
use crate::session::kernels::Common;

/// The operator for one session.
pub(in super::super) struct GroupQueryAttention {
    common: Arc<Common>,
}

impl GroupQueryAttention {
    pub(in super::super) fn new(common: &Arc<Common>) -> Self {
        Self { common: Arc::clone(common) }
    }
}

impl Operator for GroupQueryAttention {
    type Kernel<'attr> = Attend;

    fn name(&self) -> &'static str {
        "GroupQueryAttention"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        use TensorElementType::{Float32, Int32, Int64};
        [
            OperatorInput::required(Float32),
            // Keys, values, and those of the past.
            OperatorInput::optional(Float32),
            OperatorInput::optional(Float32),
            OperatorInput::optional(Float32),
            OperatorInput::optional(Float32),
            // `seqlens_k`, `total_sequence_length`
            OperatorInput::required(Int32),
            OperatorInput::required(Int32),
            // `cos_cache`, `sin_cache`, `position_ids`, `attention_bias`, `head_sink`
            OperatorInput::optional(Float32),
            OperatorInput::optional(Float32),
            OperatorInput::optional(Int64),
            OperatorInput::optional(Float32),
            OperatorInput::optional(Float32),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [const { OperatorOutput::required(TensorElementType::Float32) }; 3]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<Attend> {
        let count = |name: &str| {
            let value = context.get::<i64>(name).and_then(|value| usize::try_from(value).ok());
            value.filter(|value| (1..1 << 24).contains(value)).ok_or_else(|| error(&format!("no attribute {name}, or it cannot be")))
        };
        let flag = |name: &str| context.get::<i64>(name) == Some(1);
        let number = |name: &str| context.get::<f32>(name).unwrap_or(0.0);
        let attributes = Attributes {
            heads: count("num_heads")?,
            kv_heads: count("kv_num_heads")?,
            scale: number("scale"),
            softcap: number("softcap"),
            window: context.get::<i64>("local_window_size").and_then(|window| usize::try_from(window).ok()),
            rotary: flag("do_rotary"),
            interleaved: flag("rotary_interleaved"),
            smooth: flag("smooth_softmax"),
        };
        if !attributes.heads.is_multiple_of(attributes.kv_heads) || attributes.window == Some(0) {
            return Err(error(&format!("{attributes:?} cannot be")));
        }
        Ok(Attend { attributes, common: Arc::clone(&self.common) })
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        let inputs = context.inputs();
        let Some(ValueType::Tensor { ty, shape, dimension_symbols }) = inputs.first() else { return Ok(()) };
        let (mut dimensions, symbols) = (shape.to_vec(), dimension_symbols.to_vec());
        if !matches!(inputs.get(1), Some(ValueType::Tensor { shape, .. }) if !shape.is_empty()) {
            // Keys and values are behind the queries.
            let (heads, kv_heads) = (context.attr::<i64>("num_heads")?, context.attr::<i64>("kv_num_heads")?);
            let Some(last) = dimensions.last_mut().filter(|last| **last > 0 && heads > 0 && kv_heads > 0) else { return Ok(()) };
            *last = (*last / heads.saturating_add(kv_heads.saturating_mul(2))).saturating_mul(heads);
        }
        // A size that is not known and has no name would become -1, and be computed with: as would be the places of the present.
        if dimensions.iter().zip(&symbols).any(|(size, symbol)| *size < 0 && symbol.is_empty()) {
            return Ok(());
        }
        let (shape, dimension_symbols) = (Dimensions::new(dimensions), SymbolicDimensions::new(symbols));
        context.set_output(0, &ValueType::Tensor { ty: *ty, shape, dimension_symbols })
    }
}

/// Attention of one layer. Runs of one session may overlap: nothing is kept between them.
pub(in super::super) struct Attend {
    attributes: Attributes,
    common: Arc<Common>,
}

impl Kernel for Attend {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        self.run(context)
    }
}

impl Attend {
    fn run(&self, context: &ComputeContext) -> ort::Result<()> {
        let values = (0..12).map(|index| context.input(index)).collect::<ort::Result<Vec<_>>>()?;
        let value = |index: usize| values.get(index).and_then(Option::as_ref);
        let past = [value(3), value(4)].map(|past| past.map(past_of).transpose());
        let past = match past {
            [Ok(Some(key)), Ok(Some(value))] => Some([key, value]),
            [Ok(None), Ok(None)] => None,
            _ => return Err(error("past_key and past_value: only one of them is given, or they are not of 32 bits")),
        };
        let inputs = Inputs {
            query: tensor(value(0))?.ok_or_else(|| error("no query"))?,
            key: tensor(value(1))?,
            value: tensor(value(2))?,
            past: past.map(|past| past.map(|(dims, _)| dims)),
            seqlens_k: tensor(value(5))?.ok_or_else(|| error("no seqlens_k"))?.1,
            total_sequence_length: tensor(value(6))?.ok_or_else(|| error("no total_sequence_length"))?.1,
            cos_cache: tensor(value(7))?,
            sin_cache: tensor(value(8))?,
            position_ids: tensor(value(9))?,
            attention_bias: tensor(value(10))?,
            head_sink: tensor(value(11))?,
        };
        let sizes = inputs.sizes(&self.attributes).map_err(|what| error(&what))?;
        let Shape { batch, sequence, heads, kv_heads, size, .. } = sizes.shape;
        let mut output = output(context, 0, &[batch, sequence, heads * size])?;
        let present = [batch, kv_heads, sizes.room, size];
        let mut present = [self::output(context, 1, &present)?, self::output(context, 2, &present)?];
        let [key, value] =
            present.each_mut().map(|present| present.try_extract_tensor_mut::<f32>().map(|(_, all)| (all.as_mut_ptr(), all.len())));
        let [past_key, past_value] = past.map_or([(std::ptr::null(), 0); 2], |past| past.map(|(_, all)| all));
        // SAFETY: past and present are tensors of these lengths, which live as long as this run does.
        let caches = unsafe { [Cache::new(past_key, key?), Cache::new(past_value, value?)] };
        if caches.iter().any(|cache| !cache.is_sound()) {
            return Err(error("past and present share memory, but not their sizes"));
        }
        let attention = inputs.attention(&self.attributes, &sizes, caches).map_err(|what| error(&what))?;
        let (_, output) = output.try_extract_tensor_mut::<f32>()?;
        attention.run(output, &self.common.pool).map_err(|_| error("a part of it failed"))
    }
}

fn error(what: &str) -> ort::Error {
    ort::Error::new(format!("GroupQueryAttention: {what}"))
}

fn tensor<'a, T: PrimitiveTensorElementType>(value: Option<&'a ValueRef<'_>>) -> ort::Result<Option<Tensor<'a, T>>> {
    value.map(|value| value.try_extract_tensor::<T>().map(|(shape, all)| (&**shape, all))).transpose()
}

/// The sizes of a past, and where it is: it may be written to as the present.
fn past_of<'a>(value: &'a ValueRef<'_>) -> ort::Result<(&'a [i64], (*const f32, usize))> {
    let (shape, all) = value.try_extract_tensor::<f32>()?;
    Ok((&**shape, (all.as_ptr(), all.len())))
}

fn output<'a>(context: &'a ComputeContext, index: usize, sizes: &[usize]) -> ort::Result<ValueRefMut<'a>> {
    let sizes: Vec<i64> = sizes.iter().map(|size| i64::try_from(*size).unwrap_or(i64::MAX)).collect();
    context.output(index, sizes)?.ok_or_else(|| error("an output is missing"))
}
