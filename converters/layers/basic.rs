//! Linear layers, embeddings and norms.

use crate::{Error, Weights, graph::Tensor};

/// `x Wᵀ + b`, with `weight` `[out, in]` and `bias` `[out]`.
pub fn linear(weights: &Weights, x: &Tensor) -> Tensor {
    linear_if(weights, x, true)
}

/// `x Wᵀ`
pub fn linear_no_bias(weights: &Weights, x: &Tensor) -> Tensor {
    linear_if(weights, x, false)
}

/// `x Wᵀ`, plus `b` where the config says that there is one.
pub fn linear_if(weights: &Weights, x: &Tensor, bias: bool) -> Tensor {
    let weight = matrix_for(weights, x);
    let product = x.matmul_transposed(&weight, 1.0);
    if bias { product + weights.get("bias", &[weight.fixed(0)]) } else { product }
}

/// `x Wᵀ` for an `x` that is itself a weight, plus `b` where the config says that there is one.
///
/// In operators that ONNX Runtime folds: it computes them once, when it loads the graph.
pub fn linear_constant(weights: &Weights, x: &Tensor, bias: bool) -> Tensor {
    let weight = matrix_for(weights, x);
    let product = x.matmul(&weight.t());
    if bias { product + weights.get("bias", &[weight.fixed(0)]) } else { product }
}

/// The `weight` that `x` is to be multiplied with; the product would not name the tensor that does not fit.
fn matrix_for(weights: &Weights, x: &Tensor) -> Tensor {
    let weight = weights.any("weight", 2);
    if let (true, Some(width)) = (weights.has("weight"), x.shape().last().and_then(|dim| dim.fixed()))
        && width != weight.fixed(1)
    {
        let (key, shape) = (weights.key("weight"), [weight.fixed(0), weight.fixed(1)]);
        weights.graph().fail(Error::tensor(format!("tensor {key} has shape {shape:?}, but what it is multiplied with has width {width}")));
    }
    weight
}

/// The rows of a table, `weight` `[rows, width]`, at these indices.
pub fn embedding(weights: &Weights, indices: &Tensor) -> Tensor {
    weights.any("weight", 2).gather(indices, 0)
}

/// Layer normalization over the last axis, with `weight` and `bias`.
pub fn layer_norm(weights: &Weights, epsilon: f32, x: &Tensor) -> Tensor {
    layer_norm_if(weights, epsilon, x, true)
}

/// Layer normalization over the last axis, with `weight`, and with `bias` where the config says that there is one.
pub fn layer_norm_if(weights: &Weights, epsilon: f32, x: &Tensor, bias: bool) -> Tensor {
    let width = x.fixed(-1);
    let bias = bias.then(|| weights.get("bias", &[width]));
    x.layer_norm(&weights.get("weight", &[width]), bias.as_ref(), epsilon)
}

/// Root-mean-square normalization over the last axis, with `weight`.
pub fn rms_norm(weights: &Weights, epsilon: f32, x: &Tensor) -> Tensor {
    x.rms_norm(&weights.get("weight", &[x.fixed(-1)]), epsilon)
}
