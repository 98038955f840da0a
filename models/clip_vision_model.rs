//! The tower of pictures of CLIP (<https://arxiv.org/abs/2103.00020>): a ViT with a norm before its first layer, and no bias on its patches.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Conv, Tensor},
    layers::{Activation, Mask, attention, layer_norm, linear},
};
use serde::Deserialize;

use crate::{Architecture, Request, parts::encoded::Encoded};

// As it is saved alone, it has no task of its own.
pub(crate) const ARCHITECTURE: Architecture = Architecture::new("clip_vision_model", &[], build).encode(encode);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: Activation,
    layer_norm_eps: f32,
    patch_size: usize,
    num_channels: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            patch_size: 32,
            num_channels: 3,
        }
    }
}

fn build(_: &Request) -> Result<Vec<Body>> {
    Err(Error::unsupported("clip_vision_model is a part of other models"))
}

fn encode(request: &Request, w: &Weights, pixels: &Tensor) -> Result<Encoded> {
    let cfg: Config = request.config()?;
    // Older checkpoints have it in a scope of its own.
    let w = &w.base("vision_model");
    let x = embeddings(&cfg, &w.pp("embeddings"), pixels);
    // The name is spelled so.
    let mut stages = vec![layer_norm(&w.pp("pre_layrnorm"), cfg.layer_norm_eps, &x)];
    for w in w.pp("encoder").layers("layers", cfg.num_hidden_layers) {
        stages.extend(stages.last().map(|x| layer(&cfg, &w, x)));
    }
    let last = stages.last().cloned().unwrap_or(x);
    let pooled = layer_norm(&w.pp("post_layernorm"), cfg.layer_norm_eps, &last.select_index(1, 0));
    Ok(Encoded { stages, last, pooled: Some(pooled) })
}

/// The class token and the patches, `(batch, 1 + patches, width)`, each with its position.
fn embeddings(cfg: &Config, w: &Weights, pixels: &Tensor) -> Tensor {
    let patch = w.get("patch_embedding.weight", &[cfg.hidden_size, cfg.num_channels, cfg.patch_size, cfg.patch_size]);
    let patches = pixels.conv(&patch, None, &Conv { stride: vec![cfg.patch_size; 2], ..Conv::new(2) });
    let patches = patches.reshape(&[0i64.into(), 0i64.into(), (-1i64).into()]).t();
    let class = w.get("class_embedding", &[cfg.hidden_size]);
    let class = class.expand(&[pixels.dim(0).into(), 1i64.into(), i64::try_from(cfg.hidden_size).unwrap_or(i64::MAX).into()]);
    let tokens = w.graph().concat(&[&class, &patches], 1);
    let positions = w.get("position_embedding.weight", &[tokens.fixed(1), cfg.hidden_size]);
    tokens + positions
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let norm = |name: &str, x: &Tensor| layer_norm(&w.pp(name), cfg.layer_norm_eps, x);
    let x = self_attention(cfg, &w.pp("self_attn"), &norm("layer_norm1", x)) + x;
    let h = cfg.hidden_act.of(&linear(&w.pp("mlp.fc1"), &norm("layer_norm2", &x)));
    linear(&w.pp("mlp.fc2"), &h) + x
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let project = |name| linear(&w.pp(name), x);
    let scale = attention::scale(cfg.hidden_size / cfg.num_attention_heads.max(1));
    let found = attention(&project("q_proj"), &project("k_proj"), &project("v_proj"), cfg.num_attention_heads, scale, &Mask::none());
    linear(&w.pp("out_proj"), &found)
}
