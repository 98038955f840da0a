//! Layers that architectures share. A layer takes its scope of weights and its input, and is a formula.

mod activation;
pub mod attention;
mod basic;
pub mod cached;
pub mod cross;
pub mod disentangled;
pub mod experts;
mod gated_experts;
mod mask;
mod mlp;
mod mxfp4;
mod neighbours;
pub mod relative;
mod rope;
pub mod rotary;
mod states;

pub use activation::Activation;
pub use attention::attention;
pub use basic::{embedding, layer_norm, layer_norm_if, linear, linear_constant, linear_if, linear_no_bias, rms_norm};
pub use cached::{CachedAttention, Decoding, attention_and_cache, attention_to_cache, cached_attention};
pub use cross::{CrossAttention, Source, cross_attention};
pub use experts::{Groups, Routed, Weigh, experts};
pub(crate) use gated_experts::Mixture;
pub use gated_experts::{Expert, Gate, GatedExperts, gated_experts};
pub(crate) use mask::lowest;
pub use mask::{Mask, unless};
pub use mlp::gated_mlp;
pub use mxfp4::mxfp4;
pub use neighbours::Neighbours;
pub use rope::{Beyond, Frequencies, RopeConfig};
pub use rotary::Rotary;
pub use states::{LinearAttention, States};
