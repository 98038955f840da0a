//! Normalization operators.

use super::{Attributes, Tensor};

impl Tensor {
    /// `(x - mean) / √(variance + epsilon) · scale + bias` over the last axis.
    pub fn layer_norm(&self, scale: &Tensor, bias: Option<&Tensor>, epsilon: f32) -> Tensor {
        // ONNX Runtime's fusion with a residual sum (SkipLayerNormFusion, 1.31) crashes where the optional bias is left out.
        let bias = bias.cloned().unwrap_or_else(|| {
            let width = scale.fixed(-1);
            self.graph.floats(&[width], &vec![0.0; width])
        });
        let attributes = Attributes::new().with("axis", -1i64).with("epsilon", epsilon);
        self.one("LayerNormalization", "", &[self, scale, &bias], attributes, self.dtype(), self.shape())
    }

    /// `x / √(mean(x²) + epsilon) · scale` over the last axis.
    pub fn rms_norm(&self, scale: &Tensor, epsilon: f32) -> Tensor {
        let attributes = Attributes::new().with("axis", -1i64).with("epsilon", epsilon).with("stash_type", 1i64);
        // ONNX Runtime registers this contrib operator in ONNX's own domain.
        self.one("SimplifiedLayerNormalization", "", &[self, scale], attributes, self.dtype(), self.shape())
    }

    /// `(x - mean) / √(variance + epsilon) · scale + bias` over the channels of each group; `x` is `(batch, channels, …)`.
    pub fn group_norm(&self, scale: &Tensor, bias: &Tensor, groups: usize, epsilon: f32) -> Tensor {
        let attributes = Attributes::new().with("num_groups", groups).with("epsilon", epsilon);
        self.one("GroupNormalization", "", &[self, scale, bias], attributes, self.dtype(), self.shape())
    }

    /// Each channel of each sample normalized by its own mean and variance; `x` is `(batch, channels, …)`.
    pub fn instance_norm(&self, scale: &Tensor, bias: &Tensor, epsilon: f32) -> Tensor {
        self.one("InstanceNormalization", "", &[self, scale, bias], Attributes::new().with("epsilon", epsilon), self.dtype(), self.shape())
    }

    /// `(x - mean) / √(variance + epsilon) · scale + bias` with stored statistics; `x` is `(batch, channels, …)`.
    pub fn batch_norm(&self, scale: &Tensor, bias: &Tensor, mean: &Tensor, variance: &Tensor, epsilon: f32) -> Tensor {
        let attributes = Attributes::new().with("epsilon", epsilon);
        self.one("BatchNormalization", "", &[self, scale, bias, mean, variance], attributes, self.dtype(), self.shape())
    }
}
