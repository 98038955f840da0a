//! Latent attention (<https://arxiv.org/abs/2405.04434>): the keys and values of all heads come from one narrow vector of each token.

use formers_converters::{
    Weights,
    graph::{Size, Tensor},
    layers::{CachedAttention, cached_attention, linear_if, linear_no_bias, rms_norm},
};
use serde::Deserialize;

use super::decoder::{Config, Layers};

/// The widths of latent attention.
#[derive(Deserialize)]
pub(crate) struct Latent {
    /// Of what queries come from; `None` where they come from the hidden states themselves.
    q_lora_rank: Option<usize>,
    /// Of what keys and values come from.
    kv_lora_rank: usize,
    /// Of the part of a head's query and key that knows no positions.
    qk_nope_head_dim: usize,
    /// Of the part that positions turn, whose key all heads share.
    pub(crate) qk_rope_head_dim: usize,
    /// Of a head's value.
    v_head_dim: usize,
}

/// The epsilon of the norms within, whatever `rms_norm_eps` says.
const EPSILON: f32 = 1e-6;

fn keep() -> Size {
    Size::from(0i64)
}

impl Latent {
    /// The mixer of layers with the attention `self_attn`.
    pub(crate) fn mixer(&self, cfg: &Config) -> impl Fn(&Layers, &Weights, &Tensor, usize) -> Tensor {
        let how = (cfg.attention_bias, cfg.rope.score_scale());
        move |layers, w, x, layer| self.attention(layers, &w.pp("self_attn"), x, layer, how)
    }

    /// The attention of a layer; scores are multiplied with `factor` beside the usual scale.
    ///
    /// The cache keeps the latent vectors: instead of a key for each head, `K c`, each head's query becomes `Kᵀ q`, so that all heads
    /// attend to the latent vectors `c` themselves. What they give is a mean of `c`, which `V` makes a head's value.
    fn attention(&self, layers: &Layers, w: &Weights, x: &Tensor, layer: usize, (bias, factor): (bool, f32)) -> Tensor {
        let Self { kv_lora_rank: latent, qk_nope_head_dim: still, qk_rope_head_dim: turning, v_head_dim, .. } = *self;
        let (heads, scale) = (layers.cfg.num_attention_heads, factor / (still.saturating_add(turning) as f32).sqrt());
        let Some(rotary) = layers.rotaries.first() else { return x.clone() };

        let query = self.query(w, x, bias).reshape(&[keep(), keep(), heads.into(), still.saturating_add(turning).into()]);
        let (turned, still_part) = (query.slice(3, signed(still), i64::MAX), query.slice(3, 0, signed(still)));
        let turned = rotary.of(&turned.reshape(&[keep(), keep(), heads.saturating_mul(turning).into()]), heads);

        let both = linear_if(&w.pp("kv_a_proj_with_mqa"), x, bias);
        let compressed = rms_norm(&w.pp("kv_a_layernorm"), EPSILON, &both.slice(2, 0, signed(latent)));
        let key = x.graph().concat(&[&compressed, &rotary.of(&both.slice(2, signed(latent), i64::MAX), 1)], 2);

        // (heads, still + value, latent)
        let matrices = w.pp("kv_b_proj").get("weight", &[heads.saturating_mul(still.saturating_add(v_head_dim)), latent]);
        let matrices = matrices.reshape(&[heads.into(), still.saturating_add(v_head_dim).into(), latent.into()]);
        let (keys, values) = (matrices.slice(1, 0, signed(still)), matrices.slice(1, signed(still), i64::MAX));
        let absorbed = still_part.transpose(&[0, 2, 1, 3]).matmul(&keys).transpose(&[0, 2, 1, 3]);
        let turned = turned.reshape(&[keep(), keep(), heads.into(), turning.into()]);
        let size = latent.saturating_add(turning);
        let query = x.graph().concat(&[&absorbed, &turned], 3).reshape(&[keep(), keep(), heads.saturating_mul(size).into()]);

        let how = CachedAttention { scale, ..CachedAttention::new(heads, 1, size) };
        // The operator wants keys and values of one width: what values have behind the latent vectors is not used.
        let attended = cached_attention(layers.decoding, layer, &how, &query, &key, &key);
        let mean = attended.reshape(&[keep(), keep(), heads.into(), size.into()]).slice(3, 0, signed(latent));
        let given = mean.transpose(&[0, 2, 1, 3]).matmul_transposed(&values, 1.0).transpose(&[0, 2, 1, 3]);
        linear_if(&w.pp("o_proj"), &given.reshape(&[keep(), keep(), heads.saturating_mul(v_head_dim).into()]), bias)
    }

    fn query(&self, w: &Weights, x: &Tensor, bias: bool) -> Tensor {
        match self.q_lora_rank {
            None => linear_no_bias(&w.pp("q_proj"), x),
            Some(_) => {
                let compressed = linear_if(&w.pp("q_a_proj"), x, bias);
                linear_no_bias(&w.pp("q_b_proj"), &rms_norm(&w.pp("q_a_layernorm"), EPSILON, &compressed))
            }
        }
    }
}

fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
