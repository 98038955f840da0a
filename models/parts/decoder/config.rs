//! What Llama and its relatives say in `config.json`.

use formers_converters::{
    Result,
    layers::{Activation, Frequencies, RopeConfig},
};
use serde::Deserialize;
use serde_json::Value;

use super::LayerKind;
use crate::Request;

/// The fields that Llama and its relatives have in common.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) num_key_value_heads: Option<usize>,
    pub(crate) head_dim: Option<usize>,
    pub(crate) hidden_act: Activation,
    pub(crate) max_position_embeddings: usize,
    pub(crate) rms_norm_eps: f32,
    pub(crate) attention_bias: bool,
    pub(crate) mlp_bias: bool,
    pub(crate) tie_word_embeddings: bool,
    pub(crate) sliding_window: Option<usize>,
    pub(crate) use_sliding_window: bool,
    max_window_layers: usize,
    pub(super) num_nextn_predict_layers: Option<usize>,
    pub(crate) layer_types: Option<Vec<String>>,
    #[serde(skip)]
    pub(crate) rope: RopeConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 4096,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: None,
            head_dim: None,
            hidden_act: Activation::Silu,
            max_position_embeddings: 2048,
            rms_norm_eps: 1e-6,
            attention_bias: false,
            mlp_bias: false,
            tie_word_embeddings: false,
            sliding_window: None,
            use_sliding_window: false,
            max_window_layers: 28,
            num_nextn_predict_layers: None,
            layer_types: None,
            rope: RopeConfig::default(),
        }
    }
}

/// More layers than any model has; a config that says more would take all memory.
const MOST_LAYERS: usize = 1 << 12;

impl Config {
    /// The config, with what a relative takes for fields that are not there. Only those that take a `partial_rotary_factor` read it.
    pub(crate) fn of(request: &Request, defaults: &Value) -> Result<Self> {
        let rope: RopeConfig = request.config_over(defaults)?;
        let rope = match defaults.get("partial_rotary_factor").and_then(Value::as_f64) {
            Some(part) => rope.in_part(part),
            None => rope,
        };
        Ok(Self { rope, ..request.config_over(defaults)? })
    }

    /// Adds the rotary positions that a relative takes where the config says nothing of them.
    pub(crate) fn rope_or(request: &Request, defaults: &mut Value, rope_scaling: Value) {
        let says = |key: &str| request.config.get(key).is_some_and(|value| !value.is_null());
        if !says("rope_scaling") && !says("rope_parameters") {
            defaults["rope_scaling"] = rope_scaling;
        }
    }

    pub(crate) fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }

    /// Heads of keys and values.
    pub(crate) fn groups(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    /// The angles by which positions turn queries and keys.
    pub(crate) fn frequencies(&self, rope: &RopeConfig) -> Result<Frequencies> {
        rope.frequencies(self.head_dim(), 10_000.0, self.max_position_embeddings)
    }

    /// The kinds of all layers, from the kind of each.
    pub(crate) fn layers(&self, kind: impl Fn(usize) -> LayerKind) -> Vec<LayerKind> {
        (0..self.num_hidden_layers.min(MOST_LAYERS)).map(kind).collect()
    }

    /// The kinds of layers that differ only in whether they have `sliding_window`: as `layer_types` says, or else by the rule of the model.
    pub(crate) fn windowed(&self, rule: impl Fn(usize) -> bool) -> Vec<LayerKind> {
        self.layers(|layer| LayerKind { window: self.window(layer, &rule), ..LayerKind::USUAL })
    }

    /// The kinds of layers of which those with a window turn by the second frequencies, and all others by the first; which, as for
    /// [`Config::windowed`].
    pub(crate) fn near_and_far(&self, rule: impl Fn(usize) -> bool) -> Vec<LayerKind> {
        let rotary = |layer| Some(usize::from(self.slides(layer, &rule)));
        self.layers(|layer| LayerKind { window: self.window(layer, &rule), rotary: rotary(layer), ..LayerKind::USUAL })
    }

    /// The window of a layer, if it [slides](Self::slides).
    pub(crate) fn window(&self, layer: usize, rule: impl Fn(usize) -> bool) -> Option<usize> {
        self.sliding_window.filter(|_| self.slides(layer, rule))
    }

    /// Whether a layer sees only a window: as `layer_types` says, or else by the rule of the model.
    pub(crate) fn slides(&self, layer: usize, rule: impl Fn(usize) -> bool) -> bool {
        match &self.layer_types {
            Some(types) => types.get(layer).is_some_and(|kind| kind == "sliding_attention"),
            None => rule(layer),
        }
    }

    /// The window of a layer where `use_sliding_window` gives some one: those that `layer_types` says, or else those from
    /// `max_window_layers` on.
    pub(crate) fn qwen_window(&self, layer: usize) -> Option<usize> {
        self.window(layer, |layer| layer >= self.max_window_layers).filter(|_| self.use_sliding_window)
    }
}
