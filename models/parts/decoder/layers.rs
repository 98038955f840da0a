//! The layers of a decoder.

use formers_converters::{
    Weights,
    graph::Tensor,
    layers::{CachedAttention, Decoding, Rotary, States, cached_attention, linear_if},
};

use super::{Config, LayerKind, Mixing, Variant, qk_norm::Part, scaled};
use crate::parts::blocks::Order;

/// What all layers have in common.
pub(crate) struct Layers<'a> {
    pub(crate) cfg: &'a Config,
    variant: &'a Variant<'a>,
    pub(crate) decoding: &'a Decoding,
    pub(crate) states: States<'a>,
    /// The positions by each of [`Variant::frequencies`].
    pub(crate) rotaries: Vec<Rotary>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(cfg: &'a Config, variant: &'a Variant<'a>, decoding: &'a Decoding) -> Self {
        let rotary = |frequencies| Rotary::for_positions(frequencies, &decoding.positions, variant.pairs);
        let rotaries = variant.frequencies.iter().map(rotary).collect();
        Self { cfg, variant, decoding, states: States::new(decoding), rotaries }
    }

    /// What a layer makes of the hidden states, `(batch, sequence, width)`.
    pub(super) fn layer(&self, w: &Weights, x: &Tensor, index: usize) -> Tensor {
        let variant = self.variant;
        let kind = self.kind(index);
        if kind.mixing == Mixing::Nothing {
            ["cross_attn", "input_layernorm", "mlp", "post_attention_layernorm"].iter().for_each(|part| w.skip(part));
            return x.clone();
        }
        let norm = |name: Option<&str>, x: &Tensor| name.map_or_else(|| x.clone(), |name| variant.norm.of(&w.pp(name), x));
        let mixed = |x: &Tensor| match kind.mixing {
            Mixing::Own => (variant.mixer)(self, w, x, index),
            _ => self.attention(&w.pp("self_attn"), x, index),
        };
        let mlp = |x: &Tensor| {
            if kind.mixture {
                return (variant.mixture)(w, x, index);
            }
            variant.mlp.of(&w.pp(variant.feed_forward), self.cfg.hidden_act, x)
        };
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

    fn kind(&self, index: usize) -> LayerKind {
        self.variant.layers.get(index).copied().unwrap_or(LayerKind::USUAL)
    }

    /// The attention of a layer, with the weights of `w`.
    pub(crate) fn attention(&self, w: &Weights, x: &Tensor, index: usize) -> Tensor {
        self.output(w, &self.attend(w, self.projections(w, x), index))
    }

    /// Queries, keys and values: `(batch, sequence, heads · size)` each.
    pub(crate) fn projections(&self, w: &Weights, x: &Tensor) -> [Tensor; 3] {
        ["q_proj", "k_proj", "v_proj"].map(|name| linear_if(&w.pp(name), x, self.variant.qkv_bias))
    }

    /// What a layer finds with these queries, keys and values.
    pub(crate) fn attend(&self, w: &Weights, projected: [Tensor; 3], index: usize) -> Tensor {
        self.find(&self.how(index), self.turned(w, projected, index), index)
    }

    /// Queries, keys and values, normalized, clipped and turned by their positions as the layer has it.
    pub(crate) fn turned(&self, w: &Weights, [query, key, value]: [Tensor; 3], index: usize) -> [Tensor; 3] {
        let Self { cfg, variant, .. } = self;
        let (heads, groups, size) = (cfg.num_attention_heads, cfg.groups(), cfg.head_dim());
        let normed = |behind_positions: bool, part: Part, x: Tensor| match variant.qk_norm {
            Some(norm) if norm.behind_positions == behind_positions => norm.of(w, part, size, &x),
            _ => x,
        };
        let clipped = |x: Tensor| variant.clip.map_or_else(|| x.clone(), |limit| x.clip(-limit, limit));
        let (query, key) = (clipped(normed(false, Part::Query, query)), clipped(normed(false, Part::Key, key)));
        let value = clipped(value);
        let rotary = self.kind(index).rotary.and_then(|i| self.rotaries.get(i));
        let turned = |part: Part, x: Tensor, heads: usize| {
            let x = rotary.map_or_else(|| x.clone(), |rotary| rotary.of(&x, heads));
            normed(true, part, x)
        };
        [turned(Part::Query, query, heads), turned(Part::Key, key, groups), value]
    }

    /// How a layer attends.
    pub(crate) fn how(&self, index: usize) -> CachedAttention {
        let Self { cfg, variant, .. } = self;
        let usual = CachedAttention::new(cfg.num_attention_heads, cfg.groups(), cfg.head_dim());
        let scale = variant.scale.unwrap_or(usual.scale);
        CachedAttention { scale, window: self.kind(index).window, softcap: variant.softcap, ..usual }
    }

    /// What a layer finds with queries, keys and values that positions have turned.
    pub(crate) fn find(&self, how: &CachedAttention, [query, key, value]: [Tensor; 3], index: usize) -> Tensor {
        cached_attention(self.decoding, index, how, &query, &key, &value)
    }

    /// The last matrix of attention, on what it found.
    pub(crate) fn output(&self, w: &Weights, found: &Tensor) -> Tensor {
        linear_if(&w.pp(self.variant.output), found, self.variant.output_bias)
    }
}
