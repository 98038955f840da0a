//! Llama (<https://arxiv.org/abs/2302.13971>): a decoder with norms before each part, rotary positions, gated feed-forward
//! layers, and keys and values that several heads share.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Decoding, Frequencies, RopeConfig, Rotary, States, cached_attention, embedding, linear_if,
        rotary::Pairs,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Architecture, Head, Request,
    parts::{
        blocks::{Mlp, Norm, Order},
        heads,
    },
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("llama", Head::DECODER, build);

/// What Llama and its relatives say in `config.json`.
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
    num_nextn_predict_layers: Option<usize>,
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

    /// Whether a layer sees only a window: as `layer_types` says, or else by the rule of the model.
    pub(crate) fn slides(&self, layer: usize, rule: impl Fn(usize) -> bool) -> bool {
        match &self.layer_types {
            Some(types) => types.get(layer).is_some_and(|kind| kind == "sliding_attention"),
            None => rule(layer),
        }
    }

    /// The window of a layer where some have one: those that `layer_types` says, or else those from `max_window_layers` on.
    pub(crate) fn window_of(&self, layer: usize) -> Option<usize> {
        let slides = || self.slides(layer, |layer| layer >= self.max_window_layers);
        self.sliding_window.filter(|_| self.use_sliding_window && slides())
    }
}

/// What relatives do in their own ways; [`Variant::new`] is Llama's.
pub(crate) struct Variant<'a> {
    /// Whether a layer is one that nothing passes through.
    pub(crate) stays_out: &'a dyn Fn(usize) -> bool,
    /// How hidden states are normalized,
    pub(crate) norm: Norm,
    /// and where in a layer.
    pub(crate) order: Order,
    /// The name of the last norm.
    pub(crate) last_norm: &'static str,
    /// The feed-forward part of a layer,
    pub(crate) mlp: Mlp,
    /// and what some layers have in its place: from their weights and the normalized hidden states.
    pub(crate) mixture: &'a dyn Fn(&Weights, &Tensor, usize) -> Option<Tensor>,
    /// Queries, keys and values come from one matrix, `qkv_proj`.
    pub(crate) fused: bool,
    /// Queries, keys and values have a bias.
    pub(crate) qkv_bias: bool,
    /// What becomes of queries (`"q"`), keys (`"k"`) and values (`"v"`) before positions turn them, with the weights of attention.
    pub(crate) projected: &'a dyn Fn(&Weights, &str, &Tensor) -> Tensor,
    /// The name of attention's last matrix,
    pub(crate) output: &'static str,
    /// and whether it has a bias.
    pub(crate) output_bias: bool,
    /// What some layers have in place of this attention: from what all have in common, their weights, the normalized hidden states, and
    /// which layer it is.
    pub(crate) mixer: &'a dyn Fn(&Layers, &Weights, &Tensor, usize) -> Option<Tensor>,
    /// Scores are multiplied with it; `None` for the usual.
    pub(crate) scale: Option<f32>,
    /// Scores become `cap · tanh(scores / cap)`.
    pub(crate) softcap: Option<f32>,
    /// Each head has a sink, `sinks`.
    pub(crate) sinks: bool,
    /// How far back a layer sees.
    pub(crate) window: &'a dyn Fn(usize) -> Option<usize>,
    /// The angles by which positions turn,
    pub(crate) frequencies: Vec<Frequencies>,
    /// which of them a layer has, if any,
    pub(crate) turns: &'a dyn Fn(usize) -> Option<usize>,
    /// which components turn together,
    pub(crate) pairs: Pairs,
    /// and what becomes of queries (`"q"`) and keys (`"k"`) then, at these positions, `(batch, sequence)`.
    pub(crate) turned: &'a dyn Fn(&Weights, &str, &Tensor, &Tensor) -> Tensor,
    /// Embeddings are multiplied with it,
    pub(crate) embedding_scale: f32,
    /// and become this, with the weights below the head;
    pub(crate) embedded: &'a dyn Fn(&Weights, &Tensor) -> Tensor,
    /// what each part of a layer adds is multiplied,
    pub(crate) residual_scale: f32,
    /// and so are the logits,
    pub(crate) logit_scale: f32,
    /// which become `cap · tanh(logits / cap)`.
    pub(crate) logit_softcap: Option<f32>,
}

impl Variant<'_> {
    /// Llama itself.
    pub(crate) fn new(cfg: &Config) -> Result<Self> {
        Ok(Self {
            stays_out: &|_| false,
            norm: Norm::Rms(cfg.rms_norm_eps),
            order: Order::BEFORE,
            last_norm: "norm",
            mlp: Mlp::Gated { bias: cfg.mlp_bias },
            mixture: &|_, _, _| None,
            fused: false,
            qkv_bias: cfg.attention_bias,
            projected: &|_, _, x| x.clone(),
            output: "o_proj",
            output_bias: cfg.attention_bias,
            mixer: &|_, _, _, _| None,
            scale: None,
            softcap: None,
            sinks: false,
            window: &|_| None,
            frequencies: vec![cfg.frequencies(&cfg.rope)?],
            turns: &|_| Some(0),
            pairs: Pairs::Halves,
            turned: &|_, _, x, _| x.clone(),
            embedding_scale: 1.0,
            embedded: &|_, x| x.clone(),
            residual_scale: 1.0,
            logit_scale: 1.0,
            logit_softcap: None,
        })
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg = Config::of(request, &json!({}))?;
    decoder(request, &cfg, &Variant::new(&cfg)?)
}

/// The graph of a relative.
pub(crate) fn decoder(request: &Request, cfg: &Config, variant: &Variant) -> Result<Vec<Body>> {
    let (graph, w) = request.graph();
    let (w, base) = scopes(&w);
    let decoding = heads::decoding(request, &graph);
    let layers = Layers::new(cfg, variant, &decoding);

    let words = decoding.embedded(&base.pp("embed_tokens"));
    let words = if decoding.reads_embeddings() { words } else { scaled(words, variant.embedding_scale) };
    let x = (variant.embedded)(&base, &words);
    let x = base.layers("layers", cfg.num_hidden_layers).enumerate().fold(x, |x, (i, w)| layers.layer(&w, &x, i));
    let norm = |x: &Tensor| variant.norm.of(&base.pp(variant.last_norm), x);
    heads::answer(request, &decoding, &w, &x, norm, |hidden| vocabulary(cfg, variant, &w, &base, hidden));
    // What looks further ahead than the next token serves speculation only, and lies behind the other layers.
    for ahead in 0..cfg.num_nextn_predict_layers.unwrap_or_default().min(MOST_AHEAD) {
        base.skip(&format!("layers.{}.", cfg.num_hidden_layers.saturating_add(ahead)));
    }
    let built = request.finish(graph, &w, &base)?;
    let words = heads::embed_tokens(request, |w, ids| {
        let (_, base) = scopes(w);
        scaled(embedding(&base.pp("embed_tokens"), ids), variant.embedding_scale)
    })?;
    Ok(std::iter::once(built).chain(words).collect())
}

/// The scopes of the head and of what is below it. Where a model sees pictures as well, what is for text has a scope of its own: with the
/// head, or below it.
pub(crate) fn scopes(w: &Weights) -> (Weights, Weights) {
    const TEXT: &str = "language_model";
    let w = w.base(TEXT);
    // Python's classes that answer questions call it as GPT-2's do.
    let base = w.base(if w.pp("transformer").exists() { "transformer" } else { "model" }).base(TEXT);
    (w, base)
}

/// More layers for tokens further ahead than any model has.
const MOST_AHEAD: usize = 64;

/// A score for each word.
fn vocabulary(cfg: &Config, variant: &Variant, w: &Weights, base: &Weights, hidden: &Tensor) -> Tensor {
    let logits = heads::decoder(w, "lm_head", cfg.tie_word_embeddings, &base.pp("embed_tokens"), hidden);
    let logits = scaled(logits, variant.logit_scale);
    variant.logit_softcap.map_or_else(|| logits.clone(), |cap| (&logits / cap).tanh() * cap)
}

fn scaled(x: Tensor, factor: f32) -> Tensor {
    if factor == 1.0 { x } else { x * factor }
}

/// What all layers have in common.
pub(crate) struct Layers<'a> {
    pub(crate) cfg: &'a Config,
    variant: &'a Variant<'a>,
    pub(crate) decoding: &'a Decoding,
    pub(crate) states: States<'a>,
    /// Those of [`Variant::frequencies`].
    pub(crate) rotaries: Vec<Rotary>,
}

impl<'a> Layers<'a> {
    fn new(cfg: &'a Config, variant: &'a Variant<'a>, decoding: &'a Decoding) -> Self {
        let rotary = |frequencies| Rotary::for_positions(frequencies, &decoding.positions, variant.pairs);
        let rotaries = variant.frequencies.iter().map(rotary).collect();
        Self { cfg, variant, decoding, states: States::new(decoding), rotaries }
    }

    fn layer(&self, w: &Weights, x: &Tensor, index: usize) -> Tensor {
        let Self { cfg, variant, .. } = self;
        if (variant.stays_out)(index) {
            ["cross_attn", "input_layernorm", "mlp", "post_attention_layernorm"].iter().for_each(|part| w.skip(part));
            return x.clone();
        }
        let norm = |name: Option<&str>, x: &Tensor| name.map_or_else(|| x.clone(), |name| variant.norm.of(&w.pp(name), x));
        let mixed = |x: &Tensor| (variant.mixer)(self, w, x, index).unwrap_or_else(|| self.attention(&w.pp("self_attn"), x, index));
        let mlp = |x: &Tensor| (variant.mixture)(w, x, index).unwrap_or_else(|| variant.mlp.of(&w.pp("mlp"), cfg.hidden_act, x));
        match variant.order {
            Order::InTurn { attention: (before, after), mlp: (before_mlp, after_mlp) } => {
                let x = x + scaled(norm(after, &mixed(&norm(before, x))), variant.residual_scale);
                let h = norm(after_mlp, &mlp(&norm(before_mlp, &x)));
                x + scaled(h, variant.residual_scale)
            }
            Order::SideBySide { before } => {
                let h = norm(Some(before), x);
                x + scaled(mixed(&h), variant.residual_scale) + scaled(mlp(&h), variant.residual_scale)
            }
        }
    }

    /// The attention of a layer, with the weights of `w`.
    pub(crate) fn attention(&self, w: &Weights, x: &Tensor, index: usize) -> Tensor {
        let attended = self.attend(w, self.projections(w, x), index);
        linear_if(&w.pp(self.variant.output), &attended, self.variant.output_bias)
    }

    /// What a layer finds with these queries, keys and values.
    pub(crate) fn attend(&self, w: &Weights, [query, key, value]: [Tensor; 3], index: usize) -> Tensor {
        let Self { cfg, variant, decoding, .. } = self;
        let (heads, groups, size) = (cfg.num_attention_heads, cfg.groups(), cfg.head_dim());
        let rotary = (variant.turns)(index).and_then(|i| self.rotaries.get(i));
        let turned = |part: &str, x: Tensor, heads: usize| {
            let x = rotary.map_or_else(|| x.clone(), |rotary| rotary.of(&x, heads));
            (variant.turned)(w, part, &x, &decoding.positions)
        };
        let (query, key) = (turned("q", query, heads), turned("k", key, groups));
        let usual = CachedAttention::new(heads, groups, size);
        let (window, sinks) = ((variant.window)(index), variant.sinks.then(|| w.get("sinks", &[heads])));
        let how = CachedAttention { scale: variant.scale.unwrap_or(usual.scale), window, softcap: variant.softcap, sinks, ..usual };
        cached_attention(decoding, index, &how, &query, &key, &value)
    }

    /// Queries, keys and values.
    pub(crate) fn projections(&self, w: &Weights, x: &Tensor) -> [Tensor; 3] {
        let Self { cfg, variant, .. } = self;
        let linear = |name: &str| linear_if(&w.pp(name), x, variant.qkv_bias);
        let [query, key, value] = if variant.fused {
            let all = linear("qkv_proj");
            let width = |heads: usize| i64::try_from(heads.saturating_mul(cfg.head_dim())).unwrap_or(i64::MAX);
            let (queries, keys) = (width(cfg.num_attention_heads), width(cfg.groups()));
            let both = queries.saturating_add(keys);
            [all.slice(2, 0, queries), all.slice(2, queries, both), all.slice(2, both, i64::MAX)]
        } else {
            [linear("q_proj"), linear("k_proj"), linear("v_proj")]
        };
        let projected = |part: &str, x: &Tensor| (variant.projected)(w, part, x);
        [projected("q", &query), projected("k", &key), projected("v", &value)]
    }
}
