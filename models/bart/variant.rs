//! What relatives of BART do in their own ways.

use formers_converters::{Weights, graph::Tensor};

use super::{Config, behind_start};
use crate::parts::positions;

/// What relatives do in another way.
pub(crate) struct Variant<'a> {
    /// The scope below the head.
    pub(crate) base: &'static str,
    /// The names of the parts of a layer.
    pub(crate) names: Names,
    /// Norms stand before each part, and a `layer_norm` behind the last layer; else they stand on the sums.
    pub(crate) norm_first: bool,
    /// What the norm of embeddings is of.
    pub(crate) embedding_norm: EmbeddingNorm,
    /// What positions add to the words, from the scope `embed_positions`, the tokens and their places, `(batch, sequence)` each.
    pub(crate) positions: fn(&Config, &Weights, &Tensor, &Tensor) -> Tensor,
    /// What the decoder reads where only the encoder's text is given.
    pub(crate) shifted: fn(&Config, &Tensor) -> Tensor,
    /// What some layers of the encoder have in place of this attention: from their weights, the hidden states, which tokens are no
    /// padding, `(batch, sequence)`, and which layer it is.
    pub(crate) encoder_attention: &'a dyn Fn(&Weights, &Tensor, &Tensor, usize) -> Option<Tensor>,
    /// What some layers have in place of this feed-forward part: from their weights, the hidden states, whether they are the decoder's,
    /// and which layer it is.
    pub(crate) mixture: &'a dyn Fn(&Weights, &Tensor, bool, usize) -> Option<Tensor>,
}

/// The names of what relatives call otherwise.
pub(crate) struct Names {
    /// Attention to the encoder's text, and its norm.
    pub(crate) cross: [&'static str; 2],
    /// The scope of the feed-forward part, and its norm.
    pub(crate) feed_forward: [&'static str; 2],
}

/// What `layernorm_embedding` is of.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum EmbeddingNorm {
    /// There is none.
    None,
    /// The sum of words and positions.
    OfSum,
    /// In the decoder the words alone.
    OfSumOrWords,
}

/// BART itself.
pub(crate) const VARIANT: Variant<'static> = Variant {
    base: "model",
    names: Names { cross: ["encoder_attn", "encoder_attn_layer_norm"], feed_forward: ["", "final_layer_norm"] },
    norm_first: false,
    embedding_norm: EmbeddingNorm::OfSum,
    // The table has two rows in front that no token has.
    positions: learned::<2>,
    shifted: behind_start,
    encoder_attention: &|_, _, _, _| None,
    mixture: &|_, _, _, _| None,
};

/// Positions of a table that was learned, whose first rows no token has.
pub(crate) fn learned<const UNUSED: i64>(_: &Config, w: &Weights, _: &Tensor, places: &Tensor) -> Tensor {
    positions::learned(w, places, UNUSED)
}

/// Positions of sines and cosines.
pub(crate) fn sines(cfg: &Config, w: &Weights, _: &Tensor, places: &Tensor) -> Tensor {
    positions::sines(w, places, [cfg.max_position_embeddings, cfg.d_model])
}
