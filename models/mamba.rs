//! Mamba (<https://arxiv.org/abs/2312.00752>): a decoder without attention, whose layers keep a state that each token changes in its
//! own way.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, Decoding, LinearAttention, States, linear, linear_if, linear_no_bias, rms_norm},
};
use serde::Deserialize;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("mamba", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    state_size: usize,
    num_hidden_layers: usize,
    layer_norm_epsilon: f32,
    expand: usize,
    use_bias: bool,
    use_conv_bias: bool,
    hidden_act: Activation,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            state_size: 16,
            num_hidden_layers: 32,
            layer_norm_epsilon: 1e-5,
            expand: 2,
            use_bias: false,
            use_conv_bias: true,
            hidden_act: Activation::Silu,
            tie_word_embeddings: true,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    decoder(request, &|x| x.clone())
}

/// The graph of Mamba, or of a relative that normalizes what steps, keys and queries are made of.
pub(crate) fn decoder(request: &Request, norm: &dyn Fn(&Tensor) -> Tensor) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let mixer = Mixer {
        channels: cfg.expand.saturating_mul(cfg.hidden_size),
        state_size: cfg.state_size,
        bias: cfg.use_bias,
        conv_bias: cfg.use_conv_bias,
        activation: cfg.hidden_act,
        norm: &|_, _, x| norm(x),
    };
    let epsilon = cfg.layer_norm_epsilon;
    stack(request, cfg.num_hidden_layers, epsilon, cfg.tie_word_embeddings, &|w, states, x, i| mixer.of(w, states, x, i))
}

/// A decoder of nothing but mixers, each with a norm before it; a mixer has its weights, the states, its input and its place.
pub(crate) fn stack(
    request: &Request,
    layers: usize,
    epsilon: f32,
    tied: bool,
    mixer: &dyn Fn(&Weights, &States, &Tensor, usize) -> Tensor,
) -> Result<Vec<Body>> {
    let (graph, w) = request.graph();
    let base = if w.pp("model").exists() { w.pp("model") } else { w.base("backbone") };
    let decoding = Decoding::new(&graph);
    let states = States::new(&decoding);
    // The checkpoints of the authors say `embedding`.
    let words = base.pp(if base.pp("embedding").exists() { "embedding" } else { "embeddings" });

    let x = decoding.embedded(&words);
    let x = base.layers("layers", layers).enumerate().fold(x, |x, (i, w)| {
        let mixed = mixer(&w.pp("mixer"), &states, &rms_norm(&w.pp("norm"), epsilon, &x), i);
        x + mixed
    });
    let hidden = rms_norm(&base.pp("norm_f"), epsilon, &decoding.at_the_end(&x));
    graph.output("logits", &heads::decoder(&w, "lm_head", tied, &words, &hidden));
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// A selective state space: each channel has a state of its own.
pub(crate) struct Mixer<'a> {
    pub(crate) channels: usize,
    pub(crate) state_size: usize,
    /// Whether the projections in and out have a bias.
    pub(crate) bias: bool,
    pub(crate) conv_bias: bool,
    pub(crate) activation: Activation,
    /// What becomes of what steps (`"dt"`), keys (`"b"`) and queries (`"c"`) are made of, with the weights of the mixer.
    pub(crate) norm: &'a dyn Fn(&Weights, &str, &Tensor) -> Tensor,
}

impl Mixer<'_> {
    /// The mixer of a layer, with the weights of `w`.
    pub(crate) fn of(&self, w: &Weights, states: &States, x: &Tensor, layer: usize) -> Tensor {
        let Self { channels, state_size: size, .. } = *self;
        let [x, gate] = halves(&linear_if(&w.pp("in_proj"), x, self.bias));
        let conv = w.pp("conv1d");
        let bias = self.conv_bias.then(|| conv.get("bias", &[channels]));
        let x = states.causal_conv(layer, &conv.any("weight", 3), bias.as_ref(), self.activation, &x);
        let rank = w.pp("dt_proj").any("weight", 2).fixed(1);
        let parts = linear_no_bias(&w.pp("x_proj"), &x).split(-1, &[rank, size, size]);
        let [step, key, query] =
            [(0, "dt"), (1, "b"), (2, "c")].map(|(i, part)| parts.get(i).map_or_else(|| x.clone(), |x| (self.norm)(w, part, x)));
        // A step of zero leaves the state as it is.
        let step = states.without_padding(&linear(&w.pp("dt_proj"), &step).softplus());
        let decay = step.unsqueeze(&[3]) * -w.get("A_log", &[channels, size]).exp();
        let decay = decay.reshape(&[0i64.into(), 0i64.into(), channels.saturating_mul(size).into()]);
        let how = LinearAttention { name: "ssm", groups: 1, heads: channels, scale: 1.0 };
        let read = states.linear_attention(layer, &how, [&query, &key, &(step * &x)], &decay, None);
        let y = (read + x * w.get("D", &[channels])) * gate.silu();
        linear_if(&w.pp("out_proj"), &y, self.bias)
    }
}

/// The first and the second half of the last axis.
fn halves(x: &Tensor) -> [Tensor; 2] {
    let half = i64::try_from(x.fixed(-1) / 2).unwrap_or(i64::MAX);
    [x.slice(-1, 0, half), x.slice(-1, half, i64::MAX)]
}
