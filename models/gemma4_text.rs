//! Gemma 4 (<https://ai.google.dev/gemma/docs/core>), the text part: layers that see a window and wider ones that see all, of which the last
//! may look at what others keep; perhaps vectors of each token for each layer, and mixtures of experts beside feed-forward parts.

use std::cell::{OnceCell, RefCell};

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Decoding, RopeConfig, Rotary, attention_and_cache, attention_to_cache, gated_mlp, linear_if,
        linear_no_bias, rotary::Pairs,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::Norm,
        decoder::scopes,
        heads,
        mixture::{EXPERTS, by_softmax, gated, scores},
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("gemma4_text", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_activation: Activation,
    max_position_embeddings: usize,
    rms_norm_eps: f32,
    tie_word_embeddings: bool,
    attention_bias: bool,
    sliding_window: usize,
    layer_types: Option<Vec<String>>,
    final_logit_softcapping: Option<f32>,
    hidden_size_per_layer_input: Option<usize>,
    num_kv_shared_layers: usize,
    enable_moe_block: bool,
    top_k_experts: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 2304,
            num_hidden_layers: 30,
            num_attention_heads: 8,
            hidden_activation: Activation::GeluTanh,
            max_position_embeddings: 131_072,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: true,
            attention_bias: false,
            sliding_window: 512,
            layer_types: None,
            final_logit_softcapping: None,
            hidden_size_per_layer_input: Some(256),
            num_kv_shared_layers: 0,
            enable_moe_block: false,
            top_k_experts: None,
        }
    }
}

impl Config {
    /// Whether a layer sees only a window; the last one never does.
    fn slides(&self, layer: usize) -> bool {
        let slides = match &self.layer_types {
            Some(types) => types.get(layer).is_some_and(|kind| kind == "sliding_attention"),
            None => !(layer + 1).is_multiple_of(6),
        };
        slides && layer + 1 != self.num_hidden_layers
    }

    /// The first layer that has no keys and values of its own.
    fn first_shared(&self) -> usize {
        self.num_hidden_layers.saturating_sub(self.num_kv_shared_layers)
    }

    /// Whether later layers look at what this one keeps: it is the last of its kind that keeps any.
    fn is_looked_at(&self, layer: usize) -> bool {
        let (first, kind) = (self.first_shared(), self.slides(layer));
        layer < first && first < self.num_hidden_layers && (layer + 1..first.min(MOST)).all(|later| self.slides(later) != kind)
    }
}

pub(crate) fn build(request: &Request) -> Result<Vec<Body>> {
    let defaults = json!({"rope_parameters": {
        "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1_000_000.0},
    }});
    let (cfg, rope): (Config, RopeConfig) = (request.config_over(&defaults)?, request.config_over(&defaults)?);
    if request.config.get("use_bidirectional_attention").and_then(Value::as_str) == Some("all") {
        return Err(Error::unsupported("config.json: use_bidirectional_attention is \"all\", which text generation does not know"));
    }
    let (graph, w) = request.graph();
    let (w, base) = scopes(&w);
    let decoding = heads::decoding(request, &graph);
    let layers = Layers::new(&cfg, &rope, &base, &decoding)?;
    let norm = Norm::Rms(cfg.rms_norm_eps);

    let table = base.pp("embed_tokens");
    let words = decoding.embedded(&table) * (cfg.hidden_size as f32).sqrt();
    let inputs = cfg.hidden_size_per_layer_input.filter(|&width| width > 0).map(|width| inputs(&cfg, &base, &decoding, &words, width));
    let x = base.layers("layers", cfg.num_hidden_layers).enumerate().fold(words, |x, (i, w)| {
        let x = layers.layer(&w, &x, i);
        let x = inputs.as_ref().map_or_else(|| x.clone(), |inputs| with_input(&cfg, &w, &x, &inputs.select_index(2, i as i64)));
        x * w.get("layer_scalar", &[1])
    });
    let hidden = norm.of(&base.pp("norm"), &decoding.at_the_end(&x));
    let logits = heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &table, &hidden);
    let logits = cfg.final_logit_softcapping.map_or_else(|| logits.clone(), |cap| (&logits / cap).tanh() * cap);
    graph.output("logits", &logits);
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// A vector of each token for each layer, `(batch, sequence, layers, width)`: from a table of its own, and from its word.
fn inputs(cfg: &Config, base: &Weights, decoding: &Decoding, words: &Tensor, width: usize) -> Tensor {
    let apart = |x: &Tensor| x.reshape(&[0i64.into(), 0i64.into(), cfg.num_hidden_layers.into(), width.into()]);
    let own = decoding.embedded(&base.pp("embed_tokens_per_layer")) * (width as f32).sqrt();
    let projected = linear_no_bias(&base.pp("per_layer_model_projection"), words) / (cfg.hidden_size as f32).sqrt();
    let projected = Norm::Rms(cfg.rms_norm_eps).of(&base.pp("per_layer_projection_norm"), &apart(&projected));
    (projected + apart(&own)) * std::f32::consts::FRAC_1_SQRT_2
}

/// What a layer makes of the tokens' vectors for it, `(batch, sequence, width)`.
fn with_input(cfg: &Config, w: &Weights, x: &Tensor, input: &Tensor) -> Tensor {
    let gate = cfg.hidden_activation.of(&linear_no_bias(&w.pp("per_layer_input_gate"), x));
    let given = linear_no_bias(&w.pp("per_layer_projection"), &(gate * input));
    x + Norm::Rms(cfg.rms_norm_eps).of(&w.pp("post_per_layer_input_norm"), &given)
}

/// What all layers have in common.
struct Layers<'a> {
    cfg: &'a Config,
    decoding: &'a Decoding,
    norm: Norm,
    near: Kind,
    all: Kind,
}

/// What layers have in common that see a window, or those that see all.
#[derive(Default)]
struct Kind {
    window: Option<usize>,
    /// The width of a head, and how positions turn it; `None` where there is no such layer.
    heads: Option<(usize, Rotary)>,
    /// The keys and values that others look at.
    kept: RefCell<Option<[Tensor; 2]>>,
    /// What is added to scores so that those others see what they may.
    visible: OnceCell<Tensor>,
}

impl<'a> Layers<'a> {
    fn new(cfg: &'a Config, rope: &RopeConfig, base: &Weights, decoding: &'a Decoding) -> Result<Self> {
        let kind = |slides: bool| -> Result<Kind> {
            let own = (0..cfg.num_hidden_layers.min(MOST)).find(|&layer| cfg.slides(layer) == slides);
            // Wider heads are said in more ways than one; weights are the same in all.
            let shape = own.and_then(|layer| base.pp("layers").pp(layer).pp("self_attn.q_norm").shape("weight"));
            let Some(&[size]) = shape.as_deref() else { return Ok(Kind::default()) };
            let rope = rope.of_layer_type(if slides { "sliding_attention" } else { "full_attention" });
            let frequencies = rope.frequencies(size, 10_000.0, cfg.max_position_embeddings)?;
            let rotary = Rotary::for_positions(&frequencies, &decoding.positions, Pairs::Halves);
            Ok(Kind { window: slides.then_some(cfg.sliding_window), heads: Some((size, rotary)), ..Kind::default() })
        };
        Ok(Self { cfg, decoding, norm: Norm::Rms(cfg.rms_norm_eps), near: kind(true)?, all: kind(false)? })
    }

    fn layer(&self, w: &Weights, x: &Tensor, layer: usize) -> Tensor {
        let norm = |name: &str, x: &Tensor| self.norm.of(&w.pp(name), x);
        let attended = self.attention(&w.pp("self_attn"), &norm("input_layernorm", x), layer);
        let x = x + norm("post_attention_layernorm", &attended);
        let h = gated_mlp(&w.pp("mlp"), self.cfg.hidden_activation, &norm("pre_feedforward_layernorm", &x), false);
        let h = if self.cfg.enable_moe_block {
            let mixed = self.mixture(w, &x, &norm("pre_feedforward_layernorm_2", &x));
            norm("post_feedforward_layernorm_1", &h) + norm("post_feedforward_layernorm_2", &mixed)
        } else {
            h
        };
        x + norm("post_feedforward_layernorm", &h)
    }

    fn attention(&self, w: &Weights, x: &Tensor, layer: usize) -> Tensor {
        let heads = self.cfg.num_attention_heads;
        let kind = if self.cfg.slides(layer) { &self.near } else { &self.all };
        let Some((size, rotary)) = &kind.heads else {
            // The norm of queries is missing, and says so.
            return self.norm.of(&w.pp("q_norm"), x);
        };
        let linear = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, self.cfg.attention_bias);
        let turned = |part: &str, x: &Tensor, heads: usize| rotary.of(&self.norm.of_heads(&w.pp(format!("{part}_norm")), *size, x), heads);
        let query = turned("q", &linear("q_proj", x), heads);
        let how = |groups: usize| CachedAttention { scale: 1.0, window: kind.window, ..CachedAttention::new(heads, groups, *size) };
        let attended = if layer < self.cfg.first_shared() {
            let key = linear("k_proj", x);
            let value = if w.pp("v_proj").exists() { linear("v_proj", x) } else { key.clone() };
            let groups = key.fixed(-1) / size.max(&1);
            let value = Norm::RmsAlone(self.cfg.rms_norm_eps).of_heads(w, *size, &value);
            let key = turned("k", &key, groups);
            let (attended, kept) = attention_and_cache(self.decoding, layer, &how(groups), [&query, &key, &value]);
            if self.cfg.is_looked_at(layer) {
                *kind.kept.borrow_mut() = Some(kept);
            }
            attended
        } else {
            ["k_proj", "v_proj", "k_norm"].iter().for_each(|name| w.skip(name));
            let kept = kind.kept.borrow();
            let Some([keys, values]) = kept.as_ref() else {
                let problem = format!("config.json: num_kv_shared_layers: no layer keeps what layer {layer} would look at");
                w.graph().fail(Error::config(problem));
                return x.clone();
            };
            let visible = kind.visible.get_or_init(|| self.decoding.visible(kind.window));
            attention_to_cache(&how(keys.fixed(1)), &query, [keys, values], visible)
        };
        linear("o_proj", &attended)
    }

    /// The experts of a layer, chosen by the hidden states before the feed-forward part.
    fn mixture(&self, w: &Weights, residual: &Tensor, x: &Tensor) -> Tensor {
        let (router, width) = (w.pp("router"), self.cfg.hidden_size);
        let normed = Norm::RmsAlone(self.cfg.rms_norm_eps).of(&router, residual);
        let scores = scores(&router.pp("proj"), &(normed * router.get("scale", &[width]) / (width as f32).sqrt()));
        let factors = router.get("per_expert_scale", &[scores.fixed(-1)]);
        let routed = by_softmax(&scores, self.cfg.top_k_experts.unwrap_or_default(), true).scaled_each(&factors);
        gated(&w.pp("experts"), &EXPERTS, &routed, self.cfg.hidden_activation, x)
    }
}

/// More layers than any model has.
const MOST: usize = 1 << 12;
