//! Layers that keep a state of a fixed size of the tokens so far: short convolutions and linear attention.

use super::{Activation, Decoding};
use crate::{
    Dtype, Error,
    graph::{Attributes, Dim, Tensor},
};

/// The recurrent layers of a decoder, whose inputs `past_….{layer}` and outputs `present_….{layer}` they declare themselves.
///
/// A row that is shorter than the others has padding behind its tokens; its states are those after its own last token.
pub struct States<'a> {
    decoding: &'a Decoding,
    /// 1 for tokens and 0 for padding, `(batch, sequence, 1)`.
    tokens: Tensor,
}

/// How the states of [`States::linear_attention`] change and are read.
#[derive(Debug, Clone, Copy)]
pub struct LinearAttention {
    /// What the state is called: `ssm`, `recurrent`.
    pub name: &'static str,
    /// Heads of queries and keys, shared by several of the values'.
    pub groups: usize,
    /// Heads of the values, each with a state of its own.
    pub heads: usize,
    /// Results are multiplied with it.
    pub scale: f32,
}

impl<'a> States<'a> {
    /// For the layers of this decoder.
    pub fn new(decoding: &'a Decoding) -> Self {
        let places = decoding.graph.range(&decoding.sequence()).unsqueeze(&[0]);
        let tokens = places.less(&decoding.fresh.unsqueeze(&[1])).cast(Dtype::F32).unsqueeze(&[2]);
        Self { decoding, tokens }
    }

    /// The decoder.
    pub fn decoding(&self) -> &Decoding {
        self.decoding
    }

    /// `x`, `(batch, sequence, width)`, with zeros at padding.
    pub fn without_padding(&self, x: &Tensor) -> Tensor {
        x * self.tokens.cast(x.dtype())
    }

    /// Whether a row is at its first run, `(batch, 1, 1)`.
    pub fn in_prompt(&self) -> Tensor {
        let graph = &self.decoding.graph;
        self.decoding.positions.slice(1, 0, 1).equal(&graph.ints(&[], &[0])).unsqueeze(&[2])
    }

    /// Each channel of `x`, `(batch, sequence, channels)`, convolved over itself and the tokens before, and an activation of that.
    ///
    /// `weight` is `(channels, 1, kernel)`, `bias` `(channels)`. The state `conv`, `(batch, kernel - 1, channels)`, is the last of `x`.
    pub fn causal_conv(&self, layer: usize, weight: &Tensor, bias: Option<&Tensor>, activation: Activation, x: &Tensor) -> Tensor {
        let graph = &self.decoding.graph;
        let (channels, kernel) = (x.fixed(-1), weight.fixed(-1));
        if kernel == 0 || weight.shape() != [channels.into(), 1.into(), kernel.into()] {
            let shape = weight.shape();
            graph.fail(Error::tensor(format!("a convolution of {channels} channels has a weight of shape {shape:?}")));
            return x.clone();
        }
        let (float, x) = (x.dtype(), x.cast(Dtype::F32));
        let before = kernel - 1;
        let past = self.past("conv", layer, &[before, channels]);
        let silu = activation == Activation::Silu;
        let attributes = Attributes::new().with("channels_last", 1i64).with("activation", if silu { "silu" } else { "none" });
        let (weight, bias) = (weight.cast(Dtype::F32), bias.map(|bias| bias.cast(Dtype::F32)));
        let outputs = [(Dtype::F32, x.shape()), (Dtype::F32, state_shape(&[before, channels]))];
        let inputs = [Some(&x), Some(&weight), bias.as_ref(), past.as_ref()];
        let convolved = graph.op("CausalConvWithState", "com.microsoft", &inputs, attributes, &outputs).swap_remove(0);
        if let Some(past) = past {
            // The operator's own state ends with the longest row.
            let all = graph.concat(&[&past, &x], 1);
            let places = self.decoding.fresh.unsqueeze(&[1]) + graph.range(&graph.ints(&[1], &[before as i64])).unsqueeze(&[0]);
            graph.give(&format!("present_conv.{layer}"), &all.gather_nd(&places.unsqueeze(&[2]), 1));
        }
        let convolved = convolved.cast(float);
        if silu { convolved } else { activation.of(&convolved) }
    }

    /// Linear attention with a state `S`, `(batch, heads, key size, value size)`: `S ← exp(decay) S + key ⊗ value`, and the result is
    /// `scale · queryᵀ S`. With `update`, what `S` has for the key already is taken off the value, and the rest counts by so much.
    ///
    /// `query` and `key` are `(batch, sequence, groups · key size)`, `value` `(batch, sequence, heads · value size)`, as is the result;
    /// `update` is `(batch, sequence, heads)`, `decay` as well, or `(batch, sequence, heads · key size)`.
    ///
    /// Padding must leave the state as it is: its decay and its value (or its update) must be zero.
    pub fn linear_attention(
        &self,
        layer: usize,
        how: &LinearAttention,
        [query, key, value]: [&Tensor; 3],
        decay: &Tensor,
        update: Option<&Tensor>,
    ) -> Tensor {
        let graph = &self.decoding.graph;
        let LinearAttention { name, groups, heads, scale } = *how;
        let fits = groups > 0
            && heads > 0
            && heads.is_multiple_of(groups)
            && query.fixed(-1).is_multiple_of(groups)
            && query.fixed(-1) == key.fixed(-1)
            && value.fixed(-1).is_multiple_of(heads)
            && update.is_none_or(|update| update.fixed(-1) == heads);
        let size = query.fixed(-1) / groups.max(1);
        if !fits || size == 0 || ![Some(heads), heads.checked_mul(size)].contains(&Some(decay.fixed(-1))) {
            let problem = format!(
                "config.json: keys of width {} in {groups} heads and values of width {} in {heads} heads do not fit together",
                key.fixed(-1),
                value.fixed(-1)
            );
            graph.fail(Error::config(problem));
            return value.clone();
        }
        let float = value.dtype();
        let state = [heads, size, value.fixed(-1) / heads];
        let past = self.past(name, layer, &state);
        let rule = if update.is_some() { "gated_delta" } else { "gated" };
        let attributes =
            Attributes::new().with("q_num_heads", groups).with("kv_num_heads", heads).with("update_rule", rule).with("scale", scale);
        let [query, key, value, decay] = [query, key, value, decay].map(|x| x.cast(Dtype::F32));
        let update = update.map(|x| x.cast(Dtype::F32));
        let inputs = [Some(&query), Some(&key), Some(&value), past.as_ref(), Some(&decay), update.as_ref()];
        let outputs = [(Dtype::F32, value.shape()), (Dtype::F32, state_shape(&state))];
        let mut outputs = graph.op("LinearAttention", "com.microsoft", &inputs, attributes, &outputs);
        if let (Some(present), Some(_)) = (outputs.pop(), past) {
            graph.give(&format!("present_{name}.{layer}"), &present);
        }
        outputs.pop().map_or(value, |attended| attended.cast(float))
    }

    /// The state that the last run left, where states are kept.
    fn past(&self, name: &str, layer: usize, sizes: &[usize]) -> Option<Tensor> {
        let graph = &self.decoding.graph;
        self.decoding.caches.then(|| graph.input(&format!("past_{name}.{layer}"), Dtype::F32, &state_shape(sizes)))
    }
}

fn state_shape(sizes: &[usize]) -> Vec<Dim> {
    std::iter::once(Dim::from("batch_size")).chain(sizes.iter().map(|&size| Dim::from(size))).collect()
}
