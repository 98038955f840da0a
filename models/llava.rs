//! LLaVA (<https://arxiv.org/abs/2304.08485>): a tower of pictures, two layers that make its patches words of a language model, and that model.

use formers_converters::{
    Error, Result,
    graph::{Body, Tensor},
    layers::{Activation, linear_if},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Architecture, Head, Request,
    parts::{
        encoded::Encoded,
        inputs::{Sides, pixel_values},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("llava", &[Head::ImageTextToText], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    vision_feature_layer: Layers,
    vision_feature_select_strategy: Strategy,
    projector_hidden_act: Activation,
    multimodal_projector_bias: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            vision_feature_layer: Layers::One(-2),
            vision_feature_select_strategy: Strategy::Default,
            projector_hidden_act: Activation::Gelu,
            multimodal_projector_bias: true,
        }
    }
}

/// Whose hidden states are taken; of several they lie behind one another.
#[derive(Deserialize)]
#[serde(untagged)]
enum Layers {
    One(i64),
    Several(Vec<i64>),
}

/// Which places of the tower are taken.
#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Strategy {
    /// All but the class token.
    Default,
    Full,
}

/// The sizes of the tower, where it says none.
#[derive(Deserialize)]
#[serde(default)]
struct Pictures {
    image_size: Sides,
    num_channels: usize,
}

impl Default for Pictures {
    fn default() -> Self {
        Self { image_size: Sides::One(224), num_channels: 3 }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let (text, writer) = request.inner("text_config", "llama")?;
    // Where one of both configs says that words are tied, they are.
    let text = if request.config.get(TIED) == Some(&Value::Bool(true)) { text.with(tied(&text.config)) } else { text };
    let text = text.called("decoder_model_merged").reading_embeddings(width(request)?);
    let mut bodies = vec![vision_encoder(request)?];
    bodies.extend((writer.build)(&text)?);
    Ok(bodies)
}

const TIED: &str = "tie_word_embeddings";

fn tied(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(fields) = config.as_object_mut() {
        fields.insert(TIED.into(), true.into());
    }
    config
}

/// The width of the language model, which its config may leave out: that of what the projector gives.
fn width(request: &Request) -> Result<usize> {
    let weight = "multi_modal_projector.linear_2.weight";
    let names = [weight.to_owned(), format!("model.{weight}")];
    let shape = names.iter().find_map(|name| request.tensors.get(name)).map(|tensor| tensor.shape.as_slice());
    match shape {
        Some([width, _]) if *width > 0 => Ok(*width),
        Some(shape) => Err(Error::tensor(format!("{weight} has shape {shape:?}, which is none of a linear layer"))),
        None => Err(Error::tensor(format!("the checkpoint has no {weight}"))),
    }
}

/// `pixel_values` become `image_features`, `(pictures, tokens, width)`.
fn vision_encoder(request: &Request) -> Result<Body> {
    let cfg: Config = request.config()?;
    let (vision, tower) = request.inner("vision_config", "clip_vision_model")?;
    let pictures: Pictures = vision.config()?;
    let (graph, w) = request.graph_of("vision_encoder");
    let w = w.base("model");
    let pixels = pixel_values(&graph, pictures.num_channels, pictures.image_size);
    let scope = w.pp("vision_tower");
    let seen = tower.encoded(&vision, &scope, &pixels)?;
    let layers = match &cfg.vision_feature_layer {
        Layers::One(layer) => std::slice::from_ref(layer),
        Layers::Several(layers) => layers,
    };
    if layers.is_empty() {
        return Err(Error::config("config.json: vision_feature_layer: an empty list"));
    }
    let features = layers.iter().map(|layer| stage(&cfg, &seen, *layer)).collect::<Result<Vec<_>>>()?;
    let features = graph.concat(&features.iter().collect::<Vec<_>>(), 2);
    let projector = w.pp("multi_modal_projector");
    let linear = |name: &str, x: &Tensor| linear_if(&projector.pp(name), x, cfg.multimodal_projector_bias);
    graph.output("image_features", &linear("linear_2", &cfg.projector_hidden_act.of(&linear("linear_1", &features))));
    request.finish(graph, &w, &scope)
}

/// The hidden states of a layer, counted from the end where negative.
fn stage(cfg: &Config, seen: &Encoded, layer: i64) -> Result<Tensor> {
    let count = i64::try_from(seen.stages.len()).unwrap_or(i64::MAX);
    let index = usize::try_from(if layer < 0 { count.saturating_add(layer) } else { layer });
    let found = index.ok().and_then(|index| seen.stages.get(index));
    let found = found.ok_or_else(|| Error::config(format!("config.json: vision_feature_layer: {layer} of {count} hidden states")))?;
    Ok(if cfg.vision_feature_select_strategy == Strategy::Default { found.slice(1, 1, i64::MAX) } else { found.clone() })
}
