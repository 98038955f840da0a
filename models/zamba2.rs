//! Zamba 2 (<https://arxiv.org/abs/2411.15242>): layers that keep states as Mamba 2 does. Before some of them stands a block with attention;
//! few such blocks serve in turn, each time with small matrices of its own beside theirs.

use formers_converters::{
    Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Decoding, RopeConfig, Rotary, States, cached_attention, linear_if, linear_no_bias, rms_norm,
        rotary::Pairs,
    },
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request,
    mamba2::{Gated, Limits, Mixer},
    parts::heads,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("zamba2", &[Head::CausalLm, Head::SequenceClassification], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    layers_block_type: Option<Vec<String>>,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    max_position_embeddings: usize,
    mamba_d_state: usize,
    mamba_expand: usize,
    mamba_ngroups: usize,
    n_mamba_heads: usize,
    time_step_min: f32,
    add_bias_linear: bool,
    hidden_act: Activation,
    num_mem_blocks: usize,
    use_shared_attention_adapter: bool,
    use_mem_rope: bool,
    rms_norm_eps: f32,
    tie_word_embeddings: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hidden_size: 2560,
            num_hidden_layers: 54,
            layers_block_type: None,
            num_attention_heads: 32,
            num_key_value_heads: None,
            max_position_embeddings: 4096,
            mamba_d_state: 64,
            mamba_expand: 2,
            mamba_ngroups: 1,
            n_mamba_heads: 8,
            time_step_min: 0.001,
            add_bias_linear: false,
            hidden_act: Activation::Gelu,
            num_mem_blocks: 1,
            use_shared_attention_adapter: false,
            use_mem_rope: false,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
        }
    }
}

impl Config {
    /// The layers that a block stands before.
    fn hybrid(&self) -> Vec<usize> {
        match &self.layers_block_type {
            Some(types) => (0..types.len()).filter(|&layer| types.get(layer).is_some_and(|kind| kind == "hybrid")).collect(),
            None => vec![6, 12, 18, 24, 30, 36, 42, 47, 51],
        }
    }

    fn mamba(&self) -> Mixer {
        Mixer {
            channels: self.mamba_expand.saturating_mul(self.hidden_size),
            heads: self.n_mamba_heads,
            groups: self.mamba_ngroups,
            state_size: self.mamba_d_state,
            conv_bias: true,
            bias: [self.add_bias_linear; 2],
            activation: Activation::Silu,
            limits: Limits::from(self.time_step_min),
            gated: Gated::NormLast(1e-5),
            multipliers: None,
        }
    }
}

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(&[("layer_types", "layers_block_type")])?;
    let (graph, w) = request.graph();
    let base = w.base("model");
    let decoding = heads::decoding(request, &graph);
    let blocks = Blocks::new(request, &cfg, &base, &decoding)?;
    let (mamba, states) = (cfg.mamba(), States::new(&decoding));
    let norm = |name: &str, w: &Weights, x: &Tensor| rms_norm(&w.pp(name), cfg.rms_norm_eps, x);

    let words = decoding.embedded(&base.pp("embed_tokens"));
    let x = base.layers("layers", cfg.num_hidden_layers).enumerate().fold(words.clone(), |x, (i, w)| {
        let (seen, w) = match blocks.before(i, &w, &x, &words) {
            Some(found) => (&x + found, w.pp("mamba_decoder")),
            None => (x.clone(), w),
        };
        let mixed = mamba.of(&w.pp("mamba"), &states, &norm("input_layernorm", &w, &seen), i);
        x + mixed
    });
    let last = |x: &Tensor| norm("final_layernorm", &base, x);
    let vocabulary = |hidden: &Tensor| heads::decoder(&w, "lm_head", cfg.tie_word_embeddings, &base.pp("embed_tokens"), hidden);
    heads::answer(request, &decoding, &w, &x, last, vocabulary);
    Ok(vec![request.finish(graph, &w, &base)?])
}

/// The blocks with attention.
struct Blocks<'a> {
    cfg: &'a Config,
    decoding: &'a Decoding,
    /// The layers that one stands before.
    layers: Vec<usize>,
    /// All layers of the checkpoint; each block is kept with the first layer that it stands before.
    all: Weights,
    rotary: Option<Rotary>,
    how: CachedAttention,
}

impl<'a> Blocks<'a> {
    fn new(request: &Request, cfg: &'a Config, base: &Weights, decoding: &'a Decoding) -> Result<Self> {
        let heads = cfg.num_attention_heads;
        let size = cfg.hidden_size.saturating_mul(2) / heads.max(1);
        let rope: RopeConfig = request.config()?;
        let frequencies = cfg.use_mem_rope.then(|| rope.frequencies(size, 10_000.0, cfg.max_position_embeddings)).transpose()?;
        let rotary = frequencies.map(|frequencies| Rotary::for_positions(&frequencies, &decoding.positions, Pairs::Halves));
        let usual = CachedAttention::new(heads, cfg.num_key_value_heads.unwrap_or(heads), size);
        // Heads are twice as wide as the model's width would make them, and the scale is that of the usual width.
        let how = CachedAttention { scale: usual.scale * 2_f32.sqrt(), ..usual };
        Ok(Self { cfg, decoding, layers: cfg.hybrid(), all: base.pp("layers"), rotary, how })
    }

    /// What the block before a layer finds, if there is one: from the hidden states and the words of the text.
    fn before(&self, layer: usize, w: &Weights, x: &Tensor, words: &Tensor) -> Option<Tensor> {
        const NAME: &str = "shared_transformer";
        let turn = self.layers.iter().position(|&hybrid| hybrid == layer)?;
        let first = self.layers.get(turn.checked_rem(self.cfg.num_mem_blocks).unwrap_or(0))?;
        // Blocks are shared where the words are; checkpoints may repeat what the first layer has.
        let block = if self.cfg.tie_word_embeddings { self.all.pp(first).pp(NAME) } else { w.pp(NAME) };
        w.skip(NAME);
        let norm = |name: &str, x: &Tensor| rms_norm(&block.pp(name), self.cfg.rms_norm_eps, x);
        let both = x.graph().concat(&[x, words], -1);
        let attended = self.attention(&block.pp("self_attn"), &norm("input_layernorm", &both), layer, turn);
        let h = self.feed_forward(&block.pp("feed_forward"), &norm("pre_ff_layernorm", &attended), turn);
        Some(linear_no_bias(&w.pp("linear"), &h))
    }

    fn attention(&self, w: &Weights, x: &Tensor, layer: usize, turn: usize) -> Tensor {
        let [query, key, value] = ["q", "k", "v"].map(|part| {
            let shared = linear_no_bias(&w.pp(format!("{part}_proj")), x);
            let adapter = || adapter(&w.pp(format!("linear_{part}_adapter_list")).pp(turn), x);
            if self.cfg.use_shared_attention_adapter { shared + adapter() } else { shared }
        });
        let turned = |x: Tensor, heads: usize| self.rotary.as_ref().map_or_else(|| x.clone(), |rotary| rotary.of(&x, heads));
        let (query, key) = (turned(query, self.how.heads), turned(key, self.how.groups));
        linear_no_bias(&w.pp("o_proj"), &cached_attention(self.decoding, layer, &self.how, &query, &key, &value))
    }

    fn feed_forward(&self, w: &Weights, x: &Tensor, turn: usize) -> Tensor {
        let bias = self.cfg.add_bias_linear;
        let both = linear_if(&w.pp("gate_up_proj"), x, bias) + adapter(&w.pp("gate_up_proj_adapter_list").pp(turn), x);
        let half = i64::try_from(both.fixed(-1) / 2).unwrap_or(i64::MAX);
        let h = self.cfg.hidden_act.of(&both.slice(-1, 0, half)) * both.slice(-1, half, i64::MAX);
        linear_if(&w.pp("down_proj"), &h, bias)
    }
}

/// A narrow matrix, and one that makes its result wide again.
fn adapter(w: &Weights, x: &Tensor) -> Tensor {
    linear_no_bias(&w.pp(1), &linear_no_bias(&w.pp(0), x))
}
