//! wav2vec 2.0 (<https://arxiv.org/abs/2006.11477>): convolutions turn a wave into frames, an encoder relates them, and positions come
//! from one wide convolution.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Conv, Dim, Tensor},
    layers::{Activation, Mask, attention, layer_norm, linear},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{Architecture, Head, Request, parts::heads};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("wav2vec2", &[Head::Base, Head::Ctc], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: Activation,
    layer_norm_eps: f32,
    feat_extract_norm: FrameNorm,
    feat_extract_activation: Activation,
    conv_dim: Vec<usize>,
    conv_stride: Vec<usize>,
    conv_kernel: Vec<usize>,
    conv_bias: bool,
    num_conv_pos_embeddings: usize,
    num_conv_pos_embedding_groups: usize,
    do_stable_layer_norm: bool,
    add_adapter: bool,
    adapter_attn_dim: Value,
}

/// How the convolutions over the wave are normalized.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum FrameNorm {
    /// The first one only, each channel over time.
    Group,
    /// All, each frame over its channels.
    Layer,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-5,
            feat_extract_norm: FrameNorm::Group,
            feat_extract_activation: Activation::Gelu,
            conv_dim: vec![512; 7],
            conv_stride: vec![5, 2, 2, 2, 2, 2, 2],
            conv_kernel: vec![10, 3, 3, 3, 3, 2, 2],
            conv_bias: false,
            num_conv_pos_embeddings: 128,
            num_conv_pos_embedding_groups: 16,
            do_stable_layer_norm: false,
            add_adapter: false,
            adapter_attn_dim: Value::Null,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    if cfg.conv_dim.len() != cfg.conv_stride.len() || cfg.conv_dim.len() != cfg.conv_kernel.len() || cfg.conv_dim.is_empty() {
        return Err(Error::config("config.json: conv_dim, conv_stride and conv_kernel must have one entry for each convolution"));
    }
    if cfg.add_adapter {
        return Err(Error::unsupported("config.json: add_adapter: convolutions after the encoder are not supported"));
    }
    let (graph, w) = request.graph();
    let base = w.base("wav2vec2");
    let wave = graph.input("input_values", graph.float(), &[Dim::from("batch_size"), Dim::from("sequence_length")]);

    let frames = frames(&cfg, &base.pp("feature_extractor.conv_layers"), &wave);
    let projection = base.pp("feature_projection");
    let x = linear(&projection.pp("projection"), &layer_norm(&projection.pp("layer_norm"), cfg.layer_norm_eps, &frames));
    let hidden = encoder(&cfg, &base.pp("encoder"), x);
    match request.head {
        Head::Ctc => heads::logits(&graph, &w.pp("lm_head"), &hidden),
        _ => graph.output("last_hidden_state", &hidden),
    }
    // What pretraining puts in place of frames.
    base.skip("masked_spec_embed");
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// Frames of a wave, `(batch, frames, width)`.
fn frames(cfg: &Config, w: &Weights, wave: &Tensor) -> Tensor {
    let mut x = wave.unsqueeze(&[1]);
    let mut channels = 1;
    for (i, w) in w.layers("", cfg.conv_dim.len()).enumerate() {
        let width = cfg.conv_dim[i];
        let weight = w.get("conv.weight", &[width, channels, cfg.conv_kernel[i]]);
        let bias = cfg.conv_bias.then(|| w.get("conv.bias", &[width]));
        x = x.conv(&weight, bias.as_ref(), &Conv::new(1).stride(cfg.conv_stride[i]));
        match cfg.feat_extract_norm {
            FrameNorm::Layer => x = layer_norm(&w.pp("layer_norm"), 1e-5, &x.t()).t(),
            FrameNorm::Group if i == 0 => {
                let norm = w.pp("layer_norm");
                x = x.instance_norm(&norm.get("weight", &[width]), &norm.get("bias", &[width]), 1e-5);
            }
            FrameNorm::Group => {}
        }
        x = cfg.feat_extract_activation.of(&x);
        channels = width;
    }
    x.t()
}

fn encoder(cfg: &Config, w: &Weights, x: Tensor) -> Tensor {
    let norm = |x: &Tensor| layer_norm(&w.pp("layer_norm"), cfg.layer_norm_eps, x);
    let positions = positions(cfg, &w.pp("pos_conv_embed.conv"), &x);
    let x = x + positions;
    if cfg.do_stable_layer_norm {
        norm(&w.layers("layers", cfg.num_hidden_layers).fold(x, |x, w| layer_norm_first(cfg, &w, x)))
    } else {
        w.layers("layers", cfg.num_hidden_layers).fold(norm(&x), |x, w| layer_norm_last(cfg, &w, x))
    }
}

/// A convolution whose weights are stored as direction and length: `g v / |v|`, one length for each place of the window.
fn positions(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let (width, window) = (cfg.hidden_size, cfg.num_conv_pos_embeddings);
    let length = w.get("parametrizations.weight.original0", &[1, 1, window]);
    let direction = w.get("parametrizations.weight.original1", &[width, width / cfg.num_conv_pos_embedding_groups.max(1), window]);
    let weight = &direction * (length / direction.norm_l2(&[0, 1], true));
    let conv = Conv::new(1).padding(window / 2).groups(cfg.num_conv_pos_embedding_groups);
    let mut positions = x.t().conv(&weight, Some(&w.get("bias", &[width])), &conv);
    if window.is_multiple_of(2) {
        // An even window gives a frame too many.
        positions = positions.slice(2, 0, -1);
    }
    cfg.feat_extract_activation.of(&positions).t()
}

fn layer_norm_last(cfg: &Config, w: &Weights, x: Tensor) -> Tensor {
    let x = layer_norm(&w.pp("layer_norm"), cfg.layer_norm_eps, &(self_attention(cfg, &w.pp("attention"), &x) + x));
    layer_norm(&w.pp("final_layer_norm"), cfg.layer_norm_eps, &(feed_forward(cfg, &w.pp("feed_forward"), &x) + x))
}

fn layer_norm_first(cfg: &Config, w: &Weights, x: Tensor) -> Tensor {
    let h = layer_norm(&w.pp("layer_norm"), cfg.layer_norm_eps, &x);
    let x = self_attention(cfg, &w.pp("attention"), &h) + x;
    let h = layer_norm(&w.pp("final_layer_norm"), cfg.layer_norm_eps, &x);
    let x = feed_forward(cfg, &w.pp("feed_forward"), &h) + x;
    if cfg.adapter_attn_dim.is_null() { x } else { adapter(&w.pp("adapter_layer"), &x) + x }
}

/// What a language adds to each layer of a multilingual model.
fn adapter(w: &Weights, x: &Tensor) -> Tensor {
    let h = linear(&w.pp("linear_1"), &layer_norm(&w.pp("norm"), 1e-5, x)).relu();
    linear(&w.pp("linear_2"), &h)
}

fn feed_forward(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    linear(&w.pp("output_dense"), &cfg.hidden_act.of(&linear(&w.pp("intermediate_dense"), x)))
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let project = |name| linear(&w.pp(name), x);
    let scale = attention::scale(cfg.hidden_size / cfg.num_attention_heads.max(1));
    let a = attention(&project("q_proj"), &project("k_proj"), &project("v_proj"), cfg.num_attention_heads, scale, &Mask::none());
    linear(&w.pp("out_proj"), &a)
}
