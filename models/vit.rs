//! ViT (<https://arxiv.org/abs/2010.11929>): an encoder over patches of a picture and a class token, with norms before each part.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Conv, Tensor},
    layers::{Activation, Mask, attention, layer_norm, linear, linear_if},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{
        encoded::Encoded,
        heads,
        inputs::{Sides, pixel_values},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("vit", &[Head::Base, Head::ImageClassification], build).encode(encode);

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
    let (graph, w) = request.graph();
    let base = w.base("vit");
    let pixels = pixel_values(&graph, cfg.num_channels, cfg.image_size);
    let Encoded { last, pooled, .. } = encode(request, &base, &pixels)?;
    match (request.head, pooled) {
        (Head::ImageClassification, _) => heads::logits(&graph, &w.pp("classifier"), &heads::first_token(&last)),
        (_, pooled) => {
            graph.output("last_hidden_state", &last);
            pooled.iter().for_each(|pooled| graph.output("pooler_output", pooled));
        }
    }
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// As a tower of pictures.
fn encode(request: &Request, w: &Weights, pixels: &Tensor) -> Result<Encoded> {
    let cfg: Config = request.config()?;
    let mut stages = vec![embeddings(&cfg, &w.pp("embeddings"), pixels)];
    for w in w.pp("encoder").layers("layer", cfg.num_hidden_layers) {
        stages.extend(stages.last().map(|x| layer(&cfg, &w, x)));
    }
    let last = stages.last().map(|x| layer_norm(&w.pp("layernorm"), cfg.layer_norm_eps, x));
    let last = last.ok_or_else(|| Error::config("config.json: num_hidden_layers: no layers"))?;
    let pooler = w.pp("pooler.dense");
    let pooled = pooler.exists().then(|| cfg.pooler_act.of(&linear(&pooler, &heads::first_token(&last))));
    // What masked image modelling puts in place of a patch.
    w.skip("embeddings.mask_token");
    Ok(Encoded { stages, last, pooled })
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

fn layer(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let h = layer_norm(&w.pp("layernorm_before"), cfg.layer_norm_eps, x);
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
