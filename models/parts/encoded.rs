//! What an encoder makes of what it reads, as a part of another model's graph: a tower of pictures, a backbone, an encoder of sounds.

use formers_converters::{Result, Weights, graph::Tensor};

use crate::request::Request;

/// How an architecture is a part of another: with its own config, and weights of the other's graph, from `pixel_values`, `input_features`,
/// `input_values` or `inputs_embeds`.
pub(crate) type Encode = fn(&Request, &Weights, &Tensor) -> Result<Encoded>;

/// What an encoder makes of it.
pub(crate) struct Encoded {
    /// The hidden states before the first layer, and behind each (`hidden_states` of Transformers); of backbones the feature maps of each
    /// stage, `(batch, channels, height, width)`.
    pub(crate) stages: Vec<Tensor>,
    /// The last hidden state, with its norm.
    pub(crate) last: Tensor,
    /// One vector for all of it, where the model has such.
    pub(crate) pooled: Option<Tensor>,
}
