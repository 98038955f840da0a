//! Feed-forward layers.

use super::{Activation, basic::linear_if};
use crate::{Weights, graph::Tensor};

/// `down(act(gate x) · up x)`, with `gate_proj`, `up_proj` and `down_proj`.
pub fn gated_mlp(weights: &Weights, act: Activation, x: &Tensor, bias: bool) -> Tensor {
    let gate = act.of(&linear_if(&weights.pp("gate_proj"), x, bias));
    let up = linear_if(&weights.pp("up_proj"), x, bias);
    linear_if(&weights.pp("down_proj"), &(gate * up), bias)
}
