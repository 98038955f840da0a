//! What the layers of decoders are built of, in the ways of different models.

use formers_converters::{
    Weights,
    graph::Tensor,
    layers::{Activation, gated_mlp, layer_norm_if, linear_if, rms_norm},
};

/// How hidden states are normalized; each with its epsilon.
#[derive(Clone, Copy)]
pub(crate) enum Norm {
    /// By the root of the mean square, times `weight`.
    Rms(f32),
    /// By the root of the mean square, without weights.
    RmsAlone(f32),
    /// By the root of the mean square, times `1 + weight`.
    RmsPlusOne(f32),
    /// By mean and variance, times `weight`, plus `bias` where there is one.
    Layer {
        /// Is added to the variance.
        epsilon: f32,
        /// Whether there is a bias.
        bias: bool,
    },
    /// By mean and variance, times `1 + weight`, plus `bias`.
    LayerPlusOne(f32),
    /// By mean and variance, without weights.
    Standard(f32),
}

impl Norm {
    /// `x` normalized over its last axis.
    pub(crate) fn of(self, w: &Weights, x: &Tensor) -> Tensor {
        let width = x.fixed(-1);
        match self {
            Self::Rms(epsilon) => rms_norm(w, epsilon, x),
            Self::RmsAlone(epsilon) => x.rms_norm(&x.graph().floats(&[width], &vec![1.0; width]), epsilon),
            Self::RmsPlusOne(epsilon) => x.rms_norm(&(1.0 + w.get("weight", &[width])), epsilon),
            Self::Layer { epsilon, bias } => layer_norm_if(w, epsilon, x, bias),
            Self::LayerPlusOne(epsilon) => x.layer_norm(&(1.0 + w.get("weight", &[width])), Some(&w.get("bias", &[width])), epsilon),
            Self::Standard(epsilon) => standardized(x, epsilon),
        }
    }

    /// As [`Norm::of`], on each head of `x`, `(batch, sequence, heads · size)`; all heads have the same weights.
    pub(crate) fn of_heads(self, w: &Weights, size: usize, x: &Tensor) -> Tensor {
        by_head(x, size, |x| self.of(w, x))
    }
}

/// By mean and variance over the last axis, without weights.
pub(crate) fn standardized(x: &Tensor, epsilon: f32) -> Tensor {
    let width = x.fixed(-1);
    x.layer_norm(&x.graph().floats(&[width], &vec![1.0; width]), None, epsilon)
}

/// A function of heads, on `(batch, sequence, heads, size)`, for `x` in which they lie behind one another.
pub(crate) fn by_head(x: &Tensor, size: usize, of: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let width = x.fixed(-1);
    if size == 0 || !width.is_multiple_of(size) {
        // Attention says what does not fit.
        return x.clone();
    }
    let apart = x.reshape(&[0i64.into(), 0i64.into(), (width / size).into(), size.into()]);
    of(&apart).reshape(&[0i64.into(), 0i64.into(), width.into()])
}

/// The names of the norms before and after a part of a layer.
pub(crate) type Around = (Option<&'static str>, Option<&'static str>);

/// Where the norms of a layer are.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// Attention, and then the feed-forward part on its result.
    InTurn {
        /// Norms around attention.
        attention: Around,
        /// Norms around the feed-forward part.
        mlp: Around,
    },
    /// Both parts on the same hidden states, normalized once.
    SideBySide {
        /// The name of the norm.
        before: &'static str,
    },
}

impl Order {
    /// A norm before each part.
    pub(crate) const BEFORE: Self =
        Self::InTurn { attention: (Some("input_layernorm"), None), mlp: (Some("post_attention_layernorm"), None) };
    /// A norm after each part.
    pub(crate) const AFTER: Self =
        Self::InTurn { attention: (None, Some("post_attention_layernorm")), mlp: (None, Some("post_feedforward_layernorm")) };
    /// A norm before and after each part.
    pub(crate) const AROUND: Self = Self::InTurn {
        attention: (Some("input_layernorm"), Some("post_attention_layernorm")),
        mlp: (Some("pre_feedforward_layernorm"), Some("post_feedforward_layernorm")),
    };
}

/// The feed-forward part of a layer.
#[derive(Clone, Copy)]
pub(crate) enum Mlp {
    /// `down(act(gate x) · up x)`
    Gated {
        /// Whether the three have a bias.
        bias: bool,
    },
    /// As [`Mlp::Gated`], without bias; by the names of gate, up and down.
    GatedBy([&'static str; 3]),
    /// As [`Mlp::Gated`], without bias; gate and up are one matrix, `gate_up_proj`.
    Fused,
    /// `down(act(up x))`
    Plain {
        /// The names of up and down.
        names: [&'static str; 2],
        /// Whether both have a bias.
        bias: bool,
    },
}

impl Mlp {
    /// The part applied to `x`.
    pub(crate) fn of(self, w: &Weights, act: Activation, x: &Tensor) -> Tensor {
        match self {
            Self::Gated { bias } => gated_mlp(w, act, x, bias),
            Self::GatedBy([gate, up, down]) => {
                let h = act.of(&linear_if(&w.pp(gate), x, false)) * linear_if(&w.pp(up), x, false);
                linear_if(&w.pp(down), &h, false)
            }
            Self::Fused => {
                let both = linear_if(&w.pp("gate_up_proj"), x, false);
                let half = i64::try_from(both.fixed(-1) / 2).unwrap_or(i64::MAX);
                let h = act.of(&both.slice(2, 0, half)) * both.slice(2, half, i64::MAX);
                linear_if(&w.pp("down_proj"), &h, false)
            }
            Self::Plain { names: [up, down], bias } => linear_if(&w.pp(down), &act.of(&linear_if(&w.pp(up), x, bias)), bias),
        }
    }
}
