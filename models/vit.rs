//! ViT (<https://arxiv.org/abs/2010.11929>): an encoder over patches of a picture and a class token, with norms before each part.

use formers_converters::{
    Result, Weights,
    graph::{Body, Conv, Tensor},
    layers::{Activation, Mask, attention, layer_norm, linear, linear_if},
};
use serde::Deserialize;

use crate::{
    architecture::{Architecture, Head, Request},
    heads,
    inputs::{Sides, pixel_values},
};

pub(crate) const ARCHITECTURE: Architecture =
    Architecture { model_type: "vit", base: "vit", heads: &[Head::Base, Head::ImageClassification], build };

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: Activation,
    layer_norm_eps: f32,
    image_size: Sides,
    patch_size: Sides,
    num_channels: usize,
    qkv_bias: bool,
    pooler_act: Activation,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-12,
            image_size: Sides::One(224),
            patch_size: Sides::One(16),
            num_channels: 3,
            qkv_bias: true,
            pooler_act: Activation::Tanh,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config()?;
    let (graph, w) = request.graph("model");
    let base = w.base("vit");
    let pixels = pixel_values(&graph, cfg.num_channels, cfg.image_size);

    let x = embeddings(&cfg, &base.pp("embeddings"), &pixels);
    let x = base.pp("encoder").layers("layer", cfg.num_hidden_layers).fold(x, |x, w| layer(&cfg, &w, x));
    let hidden = layer_norm(&base.pp("layernorm"), cfg.layer_norm_eps, &x);
    match request.head {
        Head::ImageClassification => heads::logits(&graph, &w.pp("classifier"), &heads::first_token(&hidden)),
        _ => {
            graph.output("last_hidden_state", &hidden);
            let pooler = base.pp("pooler.dense");
            if pooler.exists() {
                graph.output("pooler_output", &cfg.pooler_act.of(&linear(&pooler, &heads::first_token(&hidden))));
            }
        }
    }
    // What masked image modelling puts in place of a patch.
    base.skip("embeddings.mask_token");
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// The class token and the patches, `(batch, 1 + patches, width)`, each with its position.
fn embeddings(cfg: &Config, w: &Weights, pixels: &Tensor) -> Tensor {
    let (height, width) = cfg.patch_size.both();
    let kernel = w.pp("patch_embeddings.projection");
    let weight = kernel.get("weight", &[cfg.hidden_size, cfg.num_channels, height, width]);
    let bias = kernel.get("bias", &[cfg.hidden_size]);
    let patches = pixels.conv(&weight, Some(&bias), &Conv { stride: vec![height, width], ..Conv::new(2) });
    let patches = patches.reshape(&[0i64.into(), 0i64.into(), (-1i64).into()]).t();

    let class = w.get("cls_token", &[1, 1, cfg.hidden_size]);
    let class = class.expand(&[pixels.dim(0).into(), 1i64.into(), (cfg.hidden_size as i64).into()]);
    let tokens = w.graph().concat(&[&class, &patches], 1);
    let positions = w.get("position_embeddings", &[1, tokens.fixed(1), cfg.hidden_size]);
    tokens + positions
}

fn layer(cfg: &Config, w: &Weights, x: Tensor) -> Tensor {
    let h = layer_norm(&w.pp("layernorm_before"), cfg.layer_norm_eps, &x);
    let x = linear(&w.pp("attention.output.dense"), &self_attention(cfg, &w.pp("attention.attention"), &h)) + x;
    let h = layer_norm(&w.pp("layernorm_after"), cfg.layer_norm_eps, &x);
    let h = cfg.hidden_act.of(&linear(&w.pp("intermediate.dense"), &h));
    linear(&w.pp("output.dense"), &h) + x
}

fn self_attention(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let project = |name| linear_if(&w.pp(name), x, cfg.qkv_bias);
    let scale = attention::scale(cfg.hidden_size / cfg.num_attention_heads.max(1));
    attention(&project("query"), &project("key"), &project("value"), cfg.num_attention_heads, scale, &Mask::none())
}
