//! Mamba 2 (<https://arxiv.org/abs/2405.21060>): Mamba whose channels share steps and decays by heads. Its mixer is what hybrids have too.

use formers_converters::{
    Result, Weights,
    graph::{Body, Size, Tensor},
    layers::{Activation, LinearAttention, States, linear_if},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, mamba};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mamba2", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    num_heads: usize,
    hidden_size: usize,
    state_size: usize,
    num_hidden_layers: usize,
    layer_norm_epsilon: f32,
    expand: usize,
    n_groups: usize,
    use_bias: bool,
    use_conv_bias: bool,
    hidden_act: Activation,
    time_step_limit: Limits,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            num_heads: 128,
            hidden_size: 4096,
            state_size: 128,
            num_hidden_layers: 64,
            layer_norm_epsilon: 1e-5,
            expand: 2,
            n_groups: 8,
            use_bias: false,
            use_conv_bias: true,
            hidden_act: Activation::Silu,
            time_step_limit: Limits::default(),
            tie_word_embeddings: false,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let mixer = Mixer {
        channels: cfg.expand.saturating_mul(cfg.hidden_size),
        heads: cfg.num_heads,
        groups: cfg.n_groups,
        state_size: cfg.state_size,
        conv_bias: cfg.use_conv_bias,
        bias: [cfg.use_bias; 2],
        activation: cfg.hidden_act,
        limits: cfg.time_step_limit,
        gated: Gated::NormLast(cfg.layer_norm_epsilon),
        multipliers: None,
    };
    let (epsilon, tied) = (cfg.layer_norm_epsilon, cfg.tie_word_embeddings);
    mamba::stack(request, cfg.num_hidden_layers, epsilon, tied, &|w, states, x, i| mixer.of(w, states, x, i))
}

/// The mixers of hybrids, by the names that their configs have.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Mamba {
    mamba_n_heads: usize,
    mamba_n_groups: usize,
    mamba_d_state: usize,
    mamba_expand: usize,
    mamba_conv_bias: bool,
    mamba_proj_bias: bool,
    time_step_limit: Limits,
}

impl Default for Mamba {
    fn default() -> Self {
        Self {
            mamba_n_heads: 128,
            mamba_n_groups: 1,
            mamba_d_state: 256,
            mamba_expand: 2,
            mamba_conv_bias: true,
            mamba_proj_bias: false,
            time_step_limit: Limits::default(),
        }
    }
}

impl Mamba {
    /// The mixer, with a norm behind the gate.
    pub(crate) fn mixer(&self, hidden_size: usize, activation: Activation, epsilon: f32) -> Mixer {
        Mixer {
            channels: self.mamba_expand.saturating_mul(hidden_size),
            heads: self.mamba_n_heads,
            groups: self.mamba_n_groups,
            state_size: self.mamba_d_state,
            conv_bias: self.mamba_conv_bias,
            bias: [self.mamba_proj_bias; 2],
            activation,
            limits: self.time_step_limit,
            gated: Gated::NormLast(epsilon),
            multipliers: None,
        }
    }
}

/// The least and the largest step of a prompt's tokens.
#[derive(Clone, Copy, Deserialize)]
#[serde(from = "Option<[Bound; 2]>")]
pub(crate) struct Limits {
    least: f32,
    largest: f32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { least: 0.0, largest: f32::INFINITY }
    }
}

impl From<f32> for Limits {
    /// No upper limit.
    fn from(least: f32) -> Self {
        Self { least, ..Self::default() }
    }
}

/// A number, or one that JSON does not know, as Transformers writes it: `{"__float__": "Infinity"}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bound {
    Number(f32),
    Named {
        #[serde(rename = "__float__")]
        name: Named,
    },
}

#[derive(Deserialize)]
enum Named {
    Infinity,
    #[serde(rename = "-Infinity")]
    Negative,
}

impl From<Option<[Bound; 2]>> for Limits {
    fn from(bounds: Option<[Bound; 2]>) -> Self {
        let Some(bounds) = bounds else { return Self::default() };
        let [least, largest] = bounds.map(|bound| match bound {
            Bound::Number(number) => number,
            Bound::Named { name: Named::Infinity } => f32::INFINITY,
            Bound::Named { name: Named::Negative } => f32::NEG_INFINITY,
        });
        Self { least, largest }
    }
}

/// How what is read from the states is normalized and gated.
#[derive(Clone, Copy)]
pub(crate) enum Gated {
    /// `y · silu(gate)`
    Plain,
    /// The norm of that, in each group of channels, with this epsilon.
    NormLast(f32),
    /// The norm of `y`, times `silu(gate)`.
    NormFirst(f32),
}

/// A state space by heads.
pub(crate) struct Mixer {
    /// All heads together.
    pub(crate) channels: usize,
    pub(crate) heads: usize,
    /// Heads of queries and keys.
    pub(crate) groups: usize,
    pub(crate) state_size: usize,
    pub(crate) conv_bias: bool,
    /// Whether the projections in and out have a bias.
    pub(crate) bias: [bool; 2],
    pub(crate) activation: Activation,
    pub(crate) limits: Limits,
    pub(crate) gated: Gated,
    /// What is projected is multiplied with these: gate, values, keys, queries, steps.
    pub(crate) multipliers: Option<[f32; 5]>,
}

impl Mixer {
    /// The mixer of a layer, with the weights of `w`.
    pub(crate) fn of(&self, w: &Weights, states: &States, x: &Tensor, layer: usize) -> Tensor {
        let Self { channels, heads, groups, state_size, .. } = *self;
        let shared = groups.saturating_mul(state_size);
        let widths = [channels, channels.saturating_add(shared).saturating_add(shared), heads];
        let [gate, mixed, step] = parts(&self.multiplied(linear_if(&w.pp("in_proj"), x, self.bias[0])), widths);
        let conv = w.pp("conv1d");
        let bias = self.conv_bias.then(|| conv.get("bias", &[widths[1]]));
        let mixed = states.causal_conv(layer, &conv.any("weight", 3), bias.as_ref(), self.activation, &mixed);
        let [x, key, query] = parts(&mixed, [channels, shared, shared]);

        let step = self.limited(&(step + w.get("dt_bias", &[heads])).softplus(), states);
        // A step of zero leaves the state as it is.
        let step = states.without_padding(&step);
        let decay = &step * -w.get("A_log", &[heads]).exp();
        let value = self.by_head(&x) * step.unsqueeze(&[3]);
        let value = value.reshape(&[keep(), keep(), channels.into()]);
        let how = LinearAttention { name: "ssm", groups, heads, scale: 1.0 };
        let read = states.linear_attention(layer, &how, [&query, &key, &value], &decay, None);
        let around = self.by_head(&x) * w.get("D", &[heads]).unsqueeze(&[1]);
        let y = read + around.reshape(&[keep(), keep(), channels.into()]);
        linear_if(&w.pp("out_proj"), &self.gated(&w.pp("norm"), &y, &gate), self.bias[1])
    }

    /// What is projected, times what the config says for each part.
    fn multiplied(&self, projected: Tensor) -> Tensor {
        let Some(multipliers) = self.multipliers else { return projected };
        let shared = self.groups.saturating_mul(self.state_size);
        let widths = [self.channels, self.channels, shared, shared, self.heads];
        if widths.iter().try_fold(0_usize, |sum, width| sum.checked_add(*width)) != Some(projected.fixed(-1)) {
            // Taking it apart says what does not fit.
            return projected;
        }
        let each: Vec<f32> = widths.iter().zip(multipliers).flat_map(|(width, factor)| std::iter::repeat_n(factor, *width)).collect();
        let each = projected.graph().floats(&[each.len()], &each);
        projected * each
    }

    /// Steps within their limits, which hold for the tokens of prompts only.
    fn limited(&self, step: &Tensor, states: &States) -> Tensor {
        let Limits { least, largest } = self.limits;
        if least <= 0.0 && largest == f32::INFINITY {
            return step.clone();
        }
        states.in_prompt().select(&step.clip(least, largest), step)
    }

    /// `(batch, sequence, heads, size)`
    fn by_head(&self, x: &Tensor) -> Tensor {
        x.reshape(&[keep(), keep(), self.heads.into(), (self.channels / self.heads.max(1)).into()])
    }

    fn gated(&self, w: &Weights, y: &Tensor, gate: &Tensor) -> Tensor {
        match self.gated {
            Gated::Plain => y * gate.silu(),
            Gated::NormLast(epsilon) => self.normalized(w, epsilon, &(y * gate.silu())),
            Gated::NormFirst(epsilon) => self.normalized(w, epsilon, y) * gate.silu(),
        }
    }

    /// Each group of channels by the root of its mean square, times `weight`.
    fn normalized(&self, w: &Weights, epsilon: f32, x: &Tensor) -> Tensor {
        let weight = w.get("weight", &[self.channels]);
        if self.groups == 1 {
            return x.rms_norm(&weight, epsilon);
        }
        let size = self.channels / self.groups.max(1);
        let apart = x.reshape(&[keep(), keep(), self.groups.into(), size.into()]);
        apart.rms_norm(&x.graph().full(&[size.into()], 1.0, x.dtype()), epsilon).reshape(&[keep(), keep(), self.channels.into()]) * weight
    }
}

fn keep() -> Size {
    0i64.into()
}

/// The last axis in three.
fn parts(x: &Tensor, widths: [usize; 3]) -> [Tensor; 3] {
    let mut parts = x.split(-1, &widths).into_iter();
    widths.map(|_| parts.next().unwrap_or_else(|| x.clone()))
}
