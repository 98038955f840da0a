//! ViT (<https://arxiv.org/abs/2010.11929>): an encoder over patches of a picture and a class token, with norms before each part.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{Activation, layer_norm, linear},
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    parts::{
        encoded::Encoded,
        heads,
        inputs::{Sides, pixel_values},
        vision,
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
    let patches = vision::patches(&w.pp("patch_embeddings.projection"), pixels, cfg.hidden_size, cfg.num_channels, cfg.patch_size.both());
    let tokens = vision::after_token(&w.get("cls_token", &[1, 1, cfg.hidden_size]), &patches);
    let positions = w.get("position_embeddings", &[1, tokens.fixed(1), cfg.hidden_size]);
    tokens + positions
}

fn layer(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let norms = [w.pp("layernorm_before"), w.pp("layernorm_after")];
    let attention = |x: &Tensor| {
        let names = ["query", "key", "value"];
        let found = vision::self_attention(&w.pp("attention.attention"), names, cfg.qkv_bias, cfg.num_attention_heads, x);
        linear(&w.pp("attention.output.dense"), &found)
    };
    let mlp = |x: &Tensor| linear(&w.pp("output.dense"), &cfg.hidden_act.of(&linear(&w.pp("intermediate.dense"), x)));
    vision::pre_norm(x, norms, cfg.layer_norm_eps, attention, mlp)
}
