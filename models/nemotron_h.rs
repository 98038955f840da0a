//! Nemotron-H (<https://arxiv.org/abs/2504.03624>): a decoder whose layers are one thing each: a state space as Mamba 2 has it, attention
//! without positions, a feed-forward part, or a mixture of experts.

use formers_converters::{
    Error, Result, Weights,
    graph::{Body, Tensor},
    layers::{
        Activation, CachedAttention, Groups, Routed, States, Weigh, cached_attention, experts, experts::no_score, linear_if, linear_no_bias,
    },
};
use serde::Deserialize;

use crate::{
    Architecture, Head, Request, mamba,
    mamba2::{Gated, Limits, Mixer},
    parts::mixture::scores,
};

pub(crate) const ARCHITECTURE: Architecture = Architecture::new("nemotron_h", &[Head::CausalLm], build);

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    layers_block_type: Option<Vec<Kind>>,
    hybrid_override_pattern: Option<String>,
    tie_word_embeddings: bool,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: usize,
    mlp_hidden_act: Activation,
    mlp_bias: bool,
    ssm_state_size: usize,
    mamba_num_heads: usize,
    mamba_head_dim: usize,
    mamba_hidden_act: Activation,
    n_groups: usize,
    time_step_limit: Limits,
    use_conv_bias: bool,
    moe_latent_size: Option<usize>,
    num_experts_per_tok: usize,
    routed_scaling_factor: f32,
    n_group: usize,
    topk_group: usize,
    norm_topk_prob: bool,
    use_bias: bool,
    layer_norm_epsilon: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            layers_block_type: None,
            hybrid_override_pattern: None,
            tie_word_embeddings: false,
            num_attention_heads: 32,
            num_key_value_heads: Some(8),
            head_dim: 128,
            mlp_hidden_act: Activation::Relu2,
            mlp_bias: false,
            ssm_state_size: 128,
            mamba_num_heads: 128,
            mamba_head_dim: 64,
            mamba_hidden_act: Activation::Silu,
            n_groups: 8,
            time_step_limit: Limits::default(),
            use_conv_bias: true,
            moe_latent_size: None,
            num_experts_per_tok: 2,
            routed_scaling_factor: 1.0,
            n_group: 1,
            topk_group: 1,
            norm_topk_prob: true,
            use_bias: false,
            layer_norm_epsilon: 1e-5,
        }
    }
}

/// What a layer is, by its newer or older name.
#[derive(Clone, Copy, Deserialize)]
enum Kind {
    #[serde(rename = "linear_attention", alias = "mamba")]
    Mamba,
    #[serde(rename = "full_attention", alias = "attention")]
    Attention,
    #[serde(rename = "mlp")]
    Mlp,
    #[serde(rename = "moe")]
    Experts,
}

/// Older names of fields, and their names here.
const OLDER: &[(&str, &str)] = &[
    ("layer_types", "layers_block_type"),
    ("mamba_n_groups", "n_groups"),
    ("mamba_dt_limit", "time_step_limit"),
    ("mamba_conv_bias", "use_conv_bias"),
];

fn build(request: &Request) -> Result<Vec<Body>> {
    let cfg: Config = request.config_mapped(OLDER)?;
    let kinds = cfg.kinds()?;
    let mamba = cfg.mamba();
    let mixer = |w: &Weights, states: &States, x: &Tensor, layer: usize| match kinds.get(layer) {
        Some(Kind::Attention) => attention(&cfg, w, states, x, layer),
        Some(Kind::Mlp) => mlp(&cfg, w, x),
        Some(Kind::Experts) => mixture(&cfg, w, x),
        Some(Kind::Mamba) | None => mamba.of(w, states, x, layer),
    };
    mamba::stack(request, kinds.len(), cfg.layer_norm_epsilon, cfg.tie_word_embeddings, &mixer)
}

impl Config {
    /// What each layer is: from their list, or from a pattern with a letter for each.
    fn kinds(&self) -> Result<Vec<Kind>> {
        let pattern = match (&self.layers_block_type, &self.hybrid_override_pattern) {
            (Some(kinds), _) => return Ok(kinds.clone()),
            (None, Some(pattern)) => pattern,
            (None, None) => "ME*-",
        };
        let kind = |letter| match letter {
            'M' => Ok(Kind::Mamba),
            '*' => Ok(Kind::Attention),
            '-' => Ok(Kind::Mlp),
            'E' => Ok(Kind::Experts),
            other => Err(Error::config(format!("config.json: hybrid_override_pattern: {other:?} is no kind of layer"))),
        };
        pattern.chars().map(kind).collect()
    }

    fn mamba(&self) -> Mixer {
        Mixer {
            channels: self.mamba_num_heads.saturating_mul(self.mamba_head_dim),
            heads: self.mamba_num_heads,
            groups: self.n_groups,
            state_size: self.ssm_state_size,
            conv_bias: self.use_conv_bias,
            bias: [self.use_bias; 2],
            activation: self.mamba_hidden_act,
            limits: self.time_step_limit,
            gated: Gated::NormLast(self.layer_norm_epsilon),
            multipliers: None,
        }
    }
}

fn attention(cfg: &Config, w: &Weights, states: &States, x: &Tensor, layer: usize) -> Tensor {
    let linear = |name: &str, x: &Tensor| linear_no_bias(&w.pp(name), x);
    let heads = cfg.num_attention_heads;
    let how = CachedAttention::new(heads, cfg.num_key_value_heads.unwrap_or(heads), cfg.head_dim);
    let [query, key, value] = ["q_proj", "k_proj", "v_proj"].map(|name| linear(name, x));
    linear("o_proj", &cached_attention(states.decoding(), layer, &how, &query, &key, &value))
}

fn mlp(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let linear = |name: &str, x: &Tensor| linear_if(&w.pp(name), x, cfg.mlp_bias);
    linear("down_proj", &cfg.mlp_hidden_act.of(&linear("up_proj", x)))
}

/// Experts without gates, which may see narrower hidden states, beside one that all tokens pass through.
fn mixture(cfg: &Config, w: &Weights, x: &Tensor) -> Tensor {
    let narrowed = |name: &str, x: &Tensor| cfg.moe_latent_size.map_or_else(|| x.clone(), |_| linear_if(&w.pp(name), x, cfg.mlp_bias));
    let each = w.pp("experts");
    let matrix =
        |name: &str, expert: usize| if each.has(name) { each.nth(name, expert) } else { each.pp(expert).pp(name).any("weight", 2) };
    let found = experts(&narrowed("fc1_latent_proj", x), &cfg.routed(&w.pp("gate"), x), Weigh::Outputs, |expert, x| {
        let h = cfg.mlp_hidden_act.of(&x.matmul_transposed(&matrix("up_proj", expert), 1.0));
        h.matmul_transposed(&matrix("down_proj", expert), 1.0)
    });
    narrowed("fc2_latent_proj", &found) + mlp(cfg, &w.pp("shared_experts"), x)
}

impl Config {
    /// A correction has a say in which experts are chosen, but not in how much they count.
    fn routed(&self, router: &Weights, x: &Tensor) -> Routed {
        let scores = scores(router, x).sigmoid();
        let corrected = &scores + router.get("e_score_correction_bias", &[scores.fixed(-1)]);
        let groups = Groups { count: self.n_group, kept: self.topk_group, best: 2 };
        let routed = Routed::chosen_by(&groups.limit(&corrected, no_score(&corrected)), &scores, self.num_experts_per_tok);
        let routed = if self.norm_topk_prob { routed.normalized(1e-20) } else { routed };
        routed.scaled(self.routed_scaling_factor)
    }
}
