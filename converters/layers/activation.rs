//! Activation functions by the names that `config.json` gives them.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use serde::Deserialize;

use crate::graph::Tensor;

/// An activation function, as `hidden_act` and its relatives name it (`ACT2FN` of Transformers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub enum Activation {
    #[serde(rename = "gelu", alias = "gelu_python")]
    Gelu,
    #[serde(rename = "gelu_10")]
    Gelu10,
    #[serde(rename = "gelu_new", alias = "gelu_fast", alias = "gelu_pytorch_tanh", alias = "gelu_python_tanh", alias = "gelu_accurate")]
    GeluTanh,
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    #[serde(rename = "laplace")]
    Laplace,
    #[serde(rename = "leaky_relu")]
    LeakyRelu,
    #[serde(rename = "linear")]
    Linear,
    #[serde(rename = "mish")]
    Mish,
    #[serde(rename = "relu")]
    Relu,
    #[serde(rename = "relu2")]
    Relu2,
    #[serde(rename = "relu6")]
    Relu6,
    #[serde(rename = "sigmoid")]
    Sigmoid,
    #[serde(rename = "silu", alias = "swish")]
    Silu,
    #[serde(rename = "tanh")]
    Tanh,
}

impl Activation {
    /// The function applied to each element.
    pub fn of(self, x: &Tensor) -> Tensor {
        match self {
            Self::Gelu => x.gelu(),
            Self::Gelu10 => x.gelu().clip(-10.0, 10.0),
            Self::GeluTanh => x.gelu_tanh(),
            Self::QuickGelu => x.quick_gelu(),
            // 0.5 (1 + erf((x - µ) / (σ √2))) with µ = √½ and σ = √(1/4π)
            Self::Laplace => 0.5 * (1.0 + ((x - FRAC_1_SQRT_2) / (0.282_095 * SQRT_2)).erf()),
            Self::LeakyRelu => x.leaky_relu(0.01),
            Self::Linear => x.clone(),
            Self::Mish => x.mish(),
            Self::Relu => x.relu(),
            Self::Relu2 => {
                let x = x.relu();
                &x * &x
            }
            Self::Relu6 => x.clip(0.0, 6.0),
            Self::Sigmoid => x.sigmoid(),
            Self::Silu => x.silu(),
            Self::Tanh => x.tanh(),
        }
    }
}
